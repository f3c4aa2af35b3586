# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Correct pictures by URL in other clothes: stores, signatures, redirects as servers lawfully have them."""

from __future__ import annotations

import io
import secrets
import string
from email.utils import formatdate
from typing import Any

import pytest
from PIL import Image

from wild_check import Clothes, assert_spotless, examine
from wild_picture import painted, saved
from wild_server import Ask, Reply, Wild, declare, serving

CLOTHES = Clothes()
clothing = CLOTHES.enter


@pytest.mark.parametrize("kind", CLOTHES, ids=lambda kind: kind.__name__)
def test_no_correct_answer_is_accused(kind: type[Wild]) -> None:
    """An answer that keeps the contract in an unusual way gets no fail and no warn."""
    assert_spotless(examine(kind()), kind)


# Media.


class _Store(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        return super().deliver(ask.target, ask)  # the signature is part of the name


@clothing
class SignedElsewhere(Wild):
    """Signed URLs with long queries on a host of their own, which the target declares with its port."""

    def __init__(self) -> None:
        super().__init__()
        self.store = _Store()
        self.serving = serving(self.store)
        self.serving.__enter__()
        self.declares = declare(media_hosts=[self.store.origin.removeprefix("http://")])

    def url(self, data: bytes) -> str:
        query = f"X-Amz-Signature={secrets.token_hex(32)}&token={'a%2Fb+' * 200}&se=2026-01-01T00%3A00%3A00Z"
        url = self.store.url(data)
        path = url.removeprefix(self.store.origin)
        self.store.media[f"{path}?{query}"] = self.store.media.pop(path)
        return f"{url}?{query}"


@clothing
class OtherLoopbackName(Wild):
    """Asked at 127.0.0.1, it names itself localhost in URLs, as self-hosted servers do."""

    def url(self, data: bytes) -> str:
        return super().url(data).replace("127.0.0.1", "localhost")


@clothing
class NameUnderLocalhost(Wild):
    """A name under localhost is this machine, as curl and browsers know without asking a resolver (RFC 6761)."""

    def url(self, data: bytes) -> str:
        return super().url(data).replace("127.0.0.1", "pictures.localhost")


@clothing
class Cached(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.headers += [("Cache-Control", "public, max-age=31536000, immutable"), ("ETag", '"a1"'), ("Age", "3")]
        reply.headers += [("Accept-Ranges", "bytes"), ("Last-Modified", formatdate(usegmt=True))]
        return reply


@clothing
class Redirected(Wild):
    """URLs that lead to the picture by a redirect, as links to a store of objects do (RFC 9110, section 15.4)."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        if path in self.media and not ask.target.endswith("?there"):
            reply = Reply(302, b"Over there.", [("Content-Type", "text/plain"), ("Location", f"{path}?there")])
            return reply if ask.target.endswith("?on") else Reply(307, b"", [("Location", f"{self.origin}{path}?on")])
        return super().deliver(path, ask)


@clothing
class OldMediaTypes(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.replace("Content-Type", "image/x-png; charset=binary")
        return reply


@clothing
class EncodedForEachClient(Wild):
    """A store that encodes pictures when they are asked for, each time a little differently."""

    media_type = "image/jpeg"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG", quality=95)

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        with Image.open(io.BytesIO(reply.body)) as image:
            reply.body = saved(image, "JPEG", quality=70 + next(self.asked) % 25)
        return reply


@clothing
class NegotiatingStore(Wild):
    """A content delivery network that serves WebP to whoever accepts it, and says so."""

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, form, ask) | {"output_format": "png"}

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        with Image.open(io.BytesIO(reply.body)) as image:
            reply.body = saved(image, "WEBP", lossless=True)
        reply.headers += [("Vary", "Origin"), ("vary", "Accept-Encoding, Accept")]
        reply.replace("Content-Type", "image/webp")
        return reply


@clothing
class BusyStore(Wild):
    """Every fourth fetch of a picture is refused for a moment."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        return self.error(503, "Busy.") if next(self.asked) % 4 == 0 else super().deliver(path, ask)


@clothing
class NumbersInASecretFolder(Wild):
    """Pictures that are numbered, in a folder whose name nobody guesses."""

    def url(self, data: bytes) -> str:
        path = f"/media/{self.folder}/{next(self.asked)}.png"
        self.media[path] = data
        return f"{self.origin}{path}"

    folder = secrets.token_hex(12)


@clothing
class ShortNames(Wild):
    """Six random letters and digits, as the vendor's example has them."""

    def url(self, data: bytes) -> str:
        path = f"/media/{''.join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6))}.png"
        self.media[path] = data
        return f"{self.origin}{path}"


@clothing
class OtherExtension(Wild):
    """A path that ends as a program's name does, not as a picture's."""

    def url(self, data: bytes) -> str:
        path = f"/media/{secrets.token_hex(8)}/download.php"
        self.media[path] = data
        return f"{self.origin}{path}?name=a.jpg"
