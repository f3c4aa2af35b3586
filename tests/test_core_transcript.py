"""What is made of an answer before anybody judges it: content codings undone, pictures named; both within bounds."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from testcard.core.exchange import Response
from testcard.core.transcript import MOST_BYTES, decoded, media_urls

TEXT = b'{"created": 1}'


@pytest.mark.parametrize(
    ("data", "coding", "problem"),
    [
        (TEXT, "", None),
        (TEXT, "identity", None),
        (gzip.compress(TEXT), "gzip", None),
        (zlib.compress(TEXT), "Deflate", None),
        (gzip.compress(gzip.compress(TEXT)), "gzip, x-gzip", None),
        (gzip.compress(b""), "gzip", None),
        # Packed piece by piece (RFC 1952, section 2.2).
        (gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]), "gzip", None),
        # Nobody asked for it.
        (TEXT, "br", "content coding br"),
        (TEXT, "gzip", "labelled gzip and is not"),
        (gzip.compress(TEXT)[:-9], "gzip", "labelled gzip and ends in the middle"),
        (b"", "gzip", "labelled gzip and ends in the middle"),
        # A bomb: a thousandth of what comes of it.
        (gzip.compress(bytes(MOST_BYTES + 1), 9), "gzip", "labelled gzip and unpacks to 134217728 bytes or more"),
    ],
    ids=["none", "identity", "gzip", "deflate", "twice", "nothing", "pieces", "br", "plain", "cut", "empty", "bomb"],
)
def test_content_codings_are_undone_or_named(data: bytes, coding: str, problem: str | None) -> None:
    """What cannot be unpacked, or would fill the memory, stays as it came, with a sentence about it."""
    body, said = decoded(data, coding)
    if problem is None:
        assert said is None
        assert body in (TEXT, b"")
    else:
        assert body == data
        assert problem in (said or "")


def test_an_answer_that_names_pictures_without_end_is_followed_for_a_while() -> None:
    """Nobody asked for so many; a client that fetched them all at once would be the server's weapon."""
    items = [{"url": f"https://media.example/{number}.png"} for number in range(5000)]
    urls = media_urls(Response(200, (("Content-Type", "application/json"),), json.dumps({"data": items}).encode()))
    assert urls[:2] == ("https://media.example/0.png", "https://media.example/1.png")
    assert len(urls) == 100
