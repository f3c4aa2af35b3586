"""Defects of real servers in the heads of their answers, and in what errors and pictures tell of their inside.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import gzip
from typing import ClassVar

import pytest

from wild_check import Defects, assert_found, assert_spotless, examine
from wild_server import Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


@defect("transport.single-fields")
class IdOfEveryHop(Wild):
    """The gateway adds its own id to that of the server behind it."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        dressed = super().dress(ask, reply)
        dressed.headers.append(("X-Request-Id", f"hop-{next(self.asked)}"))
        return dressed


class Talkative(Wild):
    """Says more in a refusal than a client can use."""

    tells: ClassVar[str] = ""

    def refusal(self, message: str, param: str | None) -> Reply:
        return super().refusal(f"{message} {self.tells}", param)


for _name, _tells in {
    "KeyOfTheUpstream": "Incorrect API key provided: sk-proj-8Gq1ZtR5mB7nVxK2wLcY4dJhS9.",
    "KeyOfTheCloud": "AccessDenied for AKIA3QK7L5XH2MPZW4TB",
    "PasswordOfTheDatabase": "cannot connect: postgres://api:hunter2@db-1:5432/images",
    "FileOfTheModel": "[Errno 2] No such file or directory: '/srv/models/paint/presets.json'",
    "LineInCSharp": "at Api.Images.Post(Request r) in /src/Api/Images.cs:line 42",
    "LineInAModule": "Error: bad\n    at Object.<anonymous> (file:///app/src/index.mjs:10:9)",
    "ExceptionOfJava": "java.lang.NullPointerException: Cannot invoke String.length()",
    "QueryInSql": "SELECT id, slug FROM models WHERE slug = $1: no rows",
    "SyntaxOfMySql": "You have an error in your SQL syntax; check the manual",
}.items():
    defect("error.no-internals", "error.no-addresses")(type(_name, (Talkative,), {"tells": _tells}))


class TalkativeHead(Wild):
    """Says in the head of a refusal where it came from."""

    line: ClassVar[tuple[str, str]]

    def refusal(self, message: str, param: str | None) -> Reply:
        reply = super().refusal(message, param)
        reply.headers.append(self.line)
        return reply


@defect("error.no-addresses")
class HostInTheHead(TalkativeHead):
    line = ("X-Served-By", "gpu-07.render.svc.cluster.local:9000")


@defect("error.no-internals")
class KeyInTheHead(TalkativeHead):
    line = ("X-Upstream-Authorization", "Bearer sk-proj-8Gq1ZtR5mB7nVxK2wLcY4dJhS9")


class Discreet(Wild):
    """What looks like it, and tells nothing: examples, masks, the site's own paths, the client's address, its words."""

    def refusal(self, message: str, param: str | None) -> Reply:
        told = (
            "Write Authorization: Bearer sk-your-key-goes-here, such as sk-1234567890abcdef1234 or sk-xxxxxxxxxxxxxxx. "
            "AKIAIOSFODNN7EXAMPLE is none. Yours was sk-proj-8Gq1ZtR5mB7nVxK2****. "
            "Databases: https://user:password@host. Logs: e.g. /var/log/x.log."
        )
        reply = super().refusal(f"{message} {told}", param)
        reply.headers += [("Location", "/home/errors"), ("X-Client-Ip", "172.17.0.1"), ("Keep-Alive", "timeout=5")]
        reply.headers += [("Access-Control-Allow-Origin", "http://localhost:3000"), ("Via", "1.1 gw.internal:8443")]
        return reply


def test_a_refusal_that_tells_nothing_is_not_accused() -> None:
    """Examples, masked keys, paths of the site and the client's own address are nothing of the server's inside."""
    assert_spotless(examine(Discreet()), Discreet)


class Store(Wild):
    """Adds to the head of a picture."""

    line: ClassVar[tuple[str, str]]

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.headers.append(self.line)
        return reply


@defect("response.no-internals")
class FileOfThePicture(Store):
    line = ("X-Sendfile", "/srv/store/a.png")


@defect("media.content-type")
class LabelledTwice(Store):
    """The store and the proxy before it."""

    line = ("Content-Type", "text/plain")


@defect("transport.content-coding")
class PackedPictures(Wild):
    """Compressed once for all, whoever fetches it: curl keeps a file that is no picture."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        if reply.status == 200:
            reply.body = gzip.compress(reply.body)
            reply.headers.append(("Content-Encoding", "gzip"))
        return reply


@defect("media.url-absolute")
class SpacesInUrls(Wild):
    """The name of the file as it is, and no url."""

    def url(self, data: bytes) -> str:
        usual = super().url(data)
        self.media[usual.removeprefix(self.origin).replace("/media/", "/media/my%20picture%20")] = data
        return usual.replace("/media/", "/media/my picture ")
