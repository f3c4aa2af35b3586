"""The excerpt of a body that a record keeps: its beginning, pictures by their length, no secrets."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcard.core.exchange import Response
from testcard.core.redact import Redactor
from testcard.core.transcript import excerpt

KEY = "sk-excerpt-0123456789"
REDACTOR = Redactor((KEY,))
PICTURE = base64.b64encode(bytes(range(256)) * 400)


def _excerpt(body: bytes, most: int = 2000) -> str:
    return excerpt(Response(200, (), body), REDACTOR, most)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": "no"}', '{"error": "no"}'),
        (b'{"a": "%s", "b": 1}' % PICTURE, '{"a": "AAECAwQFBgcICQoLDA0ODxAR…(136536 characters)", "b": 1}'),
        (PICTURE[:1001], "AAECAwQFBgcICQoLDA0ODxAR…(1001 characters)"),  # cut off, and no quote behind it
        (b"A" * 199, "A" * 199),  # too short to be a picture
        (b"A-_" * 100 + b"!", "A-_A-_A-_A-_A-_A-_A-_A-_…(300 characters)!"),  # the other alphabet
        (b"A" * 5000 + b"=" * 3 + b"\xff", "AAAAAAAAAAAAAAAAAAAAAAAA…(5003 characters)\\xff"),
        (b"x %s y" % KEY.encode(), "x [redacted] y"),
        (b"u?X-Amz-Signature=" + b"a" * 150 + b" z", "u?X-Amz-Signature=[redacted] z"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 3, "\\x89PNG\r\n\x1a\n\0\0\0"),
        (b" " * 3_000_000, " " * 2000),
        (b"?" * 3_000_000, "?" * 2000),  # nothing that takes longer the longer it is
        (b'"%s"' % (PICTURE * 20) + b"." * 3000, '"AAECAwQFBgcICQoLDA0ODxAR…(2730720 characters)"'.ljust(2000, ".")),
    ],
)
def test_an_excerpt_shows_the_beginning(body: bytes, shown: str) -> None:
    """Text as it is, bytes that are none escaped, base64 by its length, at most so many characters."""
    assert _excerpt(body) == shown


@given(st.lists(st.sampled_from(
    [b"A" * 150, b"+/==" * 60, b'"', b" ", b"\xff", "ü".encode(), b"_-" * 120, b"A=A" * 99, KEY.encode(), b"."]
), max_size=12).map(b"".join))  # fmt: skip
@settings(deadline=None, max_examples=200, database=None)
def test_an_excerpt_is_what_the_whole_text_would_begin_with(body: bytes) -> None:
    """Looking at the beginning alone gives the same as replacing in all of it, and cutting then."""
    data = re.sub(
        rb"[A-Za-z0-9+/=_-]{200,}",
        lambda match: match[0][:24] + f"…({len(match[0])} characters)".encode(),
        REDACTOR.data(body),
    )
    whole = data.decode("utf-8", "backslashreplace")
    for most in (40, 600):
        assert _excerpt(body, most) == REDACTOR.text(whole)[:most]


@pytest.mark.parametrize("place", range(1975, 2005))
def test_a_key_at_the_cut_leaves_no_half(place: int) -> None:
    """Wherever a key or a signature stands: what is cut is cut from what has been redacted."""
    for text in (KEY, f"?sig={KEY[::-1]}"):
        shown = _excerpt(b"." * place + text.encode() + b"." * 9000)
        assert KEY[:9] not in shown
        assert KEY[::-1][:2] not in shown
