# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in where pictures lie, and in the list of models.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import base64
from typing import Any, BinaryIO

import pytest

from wild_check import Defects, assert_found, examine
from wild_picture import painted, saved
from wild_server import MODEL, Ask, Reply, Wild, declare

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# Media.


class Media(Wild):
    def url(self, data: bytes) -> str:
        return self.spoil(super().url(data))

    def spoil(self, url: str) -> str:
        return url


@defect("media.url-absolute")
class RelativeUrl(Media):
    """SGLang."""

    def spoil(self, url: str) -> str:
        return url.removeprefix(self.origin)


@defect("media.url-absolute")
class PathOnTheServer(Media):
    """Xinference."""

    def spoil(self, url: str) -> str:
        return "/srv/xinference/image/" + url.rpartition("/")[2]


@defect("media.url-absolute")
class NoScheme(Media):
    def spoil(self, url: str) -> str:
        return url.removeprefix("http:")


@defect("media.url-absolute")
class DataInUrl(Wild):
    def url(self, data: bytes) -> str:
        return "data:image/png;base64," + base64.b64encode(data).decode()


@defect("media.url-absolute")
class Credentials(Media):
    def spoil(self, url: str) -> str:
        return url.replace("http://", "http://minio:minio123@")


@defect("media.url-absolute")
class BrokenPort(Media):
    """An address with a placeholder that nobody filled in."""

    def spoil(self, url: str) -> str:
        return "http://127.0.0.1:{PORT}/" + url.rpartition("/")[2]


@defect("media.host")
class OtherHost(Media):
    """The store's own address instead of the promised one."""

    declares = declare(media_hosts=["media.example.net"])


@defect("media.fetch")
class NeedsTheKey(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        return self.authenticate(ask) or super().deliver(path, ask)


@defect("media.fetch")
class NotYetThere(Wild):
    """Xinference: the file is written after the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.looked: set[str] = set()

    def deliver(self, path: str, ask: Ask) -> Reply:
        early = path not in self.looked
        self.looked.add(path)
        return self.error(404, "Not yet.") if early else super().deliver(path, ask)


@defect("media.fetch")
class StoreIsDown(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        return self.error(503, "The store is down.")


@defect("media.fetch")
class InCircles(Wild):
    """A redirect to itself."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        return Reply(302, b"", [("Location", ask.target)])


@defect("media.fetch", "image.decodable")
class SuccessPage(Wild):
    """A sign-in page with 200 in place of the picture."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        return Reply(200, b"<html>Sign in</html>", [("Content-Type", "text/html")])


@defect("media.content-type", "media.extension")
class JpegAsPng(Wild):
    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG")


@defect("media.content-type")
class OctetStream(Wild):
    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.replace("Content-Type", "binary/octet-stream")
        return reply


@defect("media.fetch", "image.decodable")
class ShorterOverTheWire(Wild):
    """A store that cuts large files."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.headers.append(("Content-Length", str(len(reply.body))))
        reply.body = reply.body[:-100]
        return reply

    def frame(self, reply: Reply) -> bytes:
        if any(name == "Content-Length" for name, _ in reply.headers):
            return self.head(reply) + reply.body
        return super().frame(reply)

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        super().converse(reader, connection)
        return False


@defect("models.list")
class ModelsAsArray(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply([{"id": MODEL}]) if ask.path == "/models" else super().generate(ask)


@defect("models.target-listed")
class OtherModels(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply({"data": [{"id": "other"}]}) if ask.path == "/models" else super().generate(ask)
