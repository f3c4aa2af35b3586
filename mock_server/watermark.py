"""Which request a picture belongs to, written into its bytes and read back from them.

A load test that compares the two sees answers that went to the wrong caller.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256

from testcard.mock_server.png import text_of, with_text

_KEYWORD = b"testcard"


@dataclass(frozen=True, slots=True)
class Identity:
    """The origin of one picture."""

    request_id: str
    """The x-request-id of the answer that brought it."""
    index: int
    """Its place in `data`, from 0."""
    generation: int
    """The server's own count of generations, from 1."""
    prompt_sha256: str
    """See prompt_sha256()."""

    @property
    def stamp(self) -> int:
        """64 bits that stand for it; the picture shows them as blocks."""
        return int.from_bytes(sha256(repr(asdict(self)).encode()).digest()[:8], "big")


def prompt_sha256(prompt: str) -> str:
    """The digest under which a prompt is written into its pictures."""
    return sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def marked(png: bytes, identity: Identity) -> bytes:
    """The picture with its identity in a text chunk."""
    return with_text(png, _KEYWORD, json.dumps(asdict(identity)).encode("ascii"))


def identity(png: bytes) -> Identity | None:
    """The identity that a picture carries, or None where it carries none that can be read."""
    text = text_of(png, _KEYWORD)
    if text is None:
        return None
    try:
        return Identity(**json.loads(text))
    except (ValueError, TypeError):
        return None
