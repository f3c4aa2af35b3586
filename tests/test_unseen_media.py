# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in where pictures lie, and in the list of models.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any, BinaryIO

import pytest

from wild_check import Defects, assert_found, examine
from wild_picture import painted, saved
from wild_server import MODEL, Ask, Reply, Wild, declare

DEFECTS = Defects()
defect = DEFECTS.enter
MIXED_UP = ("image.distinct", "image.size", "generate.default-size")
"""What a picture that is another's may break as well, as chance has it."""


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


@defect("media.refetch")
class OnlyOnce(Wild):
    """A store that deletes what it has delivered."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        self.media.pop(path, None)
        return reply


@defect("media.refetch")
class PageInstead(Wild):
    """A page of the store's in place of the picture, some seconds later."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def deliver(self, path: str, ask: Ask) -> Reply:
        if path in self.seen:
            return Reply(200, b"<html>This link has expired.</html>", [("Content-Type", "text/html")])
        self.seen.add(path)
        return super().deliver(path, ask)


@defect("media.url-unique", "media.refetch", "media.url-unguessable", *MIXED_UP)
class NamesComeRound(Wild):
    """Four names that are used again and again: a url later gives another picture."""

    def url(self, data: bytes) -> str:
        path = f"/media/slot-{next(self.asked) % 4}.png"
        self.media[path] = data
        return f"{self.origin}{path}"


@defect("media.url-unique", "media.refetch", "generate.size-undeclared", *MIXED_UP)
class OneNameForAll(Wild):
    """The file is always called the same."""

    def url(self, data: bytes) -> str:
        self.media["/media/output.png"] = data
        return f"{self.origin}/media/output.png"


@defect("media.url-unguessable")
class Numbered(Media):
    def url(self, data: bytes) -> str:
        path = f"/media/{next(self.asked)}.png"
        self.media[path] = data
        return f"{self.origin}{path}"


@defect("media.url-unguessable")
class NamedByTime(Media):
    """The time in milliseconds."""

    def url(self, data: bytes) -> str:
        path = f"/media/img_{int(time.time() * 1000)}_{next(self.asked) % 10}.png"
        self.media[path] = data
        return f"{self.origin}{path}"


@defect("media.extension")
class AlwaysPng(Wild):
    """Xinference and others: the name ends in .png, whatever is inside."""

    media_type = "image/jpeg"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG")

    def url(self, data: bytes) -> str:
        path = f"/media/{secrets.token_hex(8)}.png"
        self.media[path] = data
        return f"{self.origin}{path}"


def test_a_store_that_is_down_later_is_not_accused() -> None:
    """A second fetch that meets a 503 says nothing of the picture: not judged, with the record that shows why."""

    class DownLater(Wild):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[str] = set()

        def deliver(self, path: str, ask: Ask) -> Reply:
            if path in self.seen:
                return self.error(503, "The store is down.")
            self.seen.add(path)
            return super().deliver(path, ask)

    examined = examine(DownLater())
    assert examined.of("fail", "warn") == {}
    result = examined.results["media.refetch"]
    assert result.outcome == "not-judged"
    assert "503" in str(result.reason)


def test_a_second_fetch_is_recorded_as_what_it_is() -> None:
    """Every picture by url is fetched once more at the end, without a key, as a record that is no API request."""
    examined = examine(Wild())
    again = [record for record in examined.records if record.picture_of is not None]
    named = {record.number for record in examined.records if record.media_fetches and record.picture_of is None}
    assert {record.picture_of for record in again} <= named
    assert 3 <= len(again) <= 8
    for record in again:
        assert (record.method, record.status, record.key, record.images) == ("GET", 200, None, 0)
        assert (record.held, record.media_fetches, len(record.pictures)) == (("media.refetch",), 1, 1)
        assert record.number > max(named)


@defect("models.list")
class ModelsAsArray(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply([{"id": MODEL}]) if ask.path == "/models" else super().generate(ask)


@defect("models.target-listed")
class OtherModels(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply({"data": [{"id": "other"}]}) if ask.path == "/models" else super().generate(ask)
