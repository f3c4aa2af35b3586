"""Defects of real servers in how and in what they answer, that no judge was written against.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import gzip
import json
from typing import Any, BinaryIO
from urllib.parse import unquote

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import Ask, Reply, Wild, read

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# Transport.


@defect("transport.json-content-type")
class LabelledHtml(Wild):
    """A proxy that labels whatever comes."""

    def reply(self, document: Any, status: int = 200) -> Reply:
        return Reply(status, self.encode(document), [("Content-Type", "text/html; charset=utf-8")])


@defect("transport.json-content-type")
class Unlabelled(Wild):
    def reply(self, document: Any, status: int = 200) -> Reply:
        return Reply(status, self.encode(document), [] if status == 200 else [("Content-Type", "application/json")])


@defect("transport.json-body")
class ByteOrderMark(Wild):
    def encode(self, document: Any) -> bytes:
        return b"\xef\xbb\xbf" + super().encode(document)


@defect("response.data")
class NothingInside(Wild):
    """A worker that ends before it writes: 200, and nothing."""

    def generate(self, ask: Ask) -> Reply:
        if ask.path != "/images/generations":
            return super().generate(ask)
        done = super().generate(ask)
        return Reply(200, b"", [("Content-Type", "application/json")]) if done.status == 200 else done


@defect("transport.json-unique-names")
class CreatedTwice(Wild):
    """A proxy that adds its own member in front without looking whether there is one."""

    def encode(self, document: Any) -> bytes:
        text = super().encode(document)
        return b'{"created": 1, ' + text[1:] if isinstance(document, dict) and "created" in document else text


@defect("transport.json-body")
class NotANumber(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"cost": float("nan")}


@defect("transport.json-body")
class SentTwice(Wild):
    """Two answers in one body, as a retrying proxy writes them."""

    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        reply.body += b"\n" + reply.body
        return reply


@defect("transport.json-body", "error.envelope", "transport.unknown-path")
class Latin1(Wild):
    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        reply = super().error(status, message, param)
        reply.body = reply.body.replace(b".", "\xe9.".encode("latin-1"))
        return reply


@defect("transport.json-body", "response.data", "models.list")
class EncodedTwice(Wild):
    """JSON as a JSON string: a gateway that serialises what is serialised."""

    def encode(self, document: Any) -> bytes:
        return json.dumps(json.dumps(document)).encode()

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        reply = super().error(status, message, param)
        reply.body = json.loads(reply.body).encode()
        return reply


@defect("transport.json-body")
class LengthInCharacters(Wild):
    """Content-Length counts characters where it ought to count bytes."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"revised_prompt": "ein gro\u00dfes Bild, \u00e4hnlich"} | super().success(items, ask)

    def encode(self, document: Any) -> bytes:
        return json.dumps(document, ensure_ascii=False).encode()

    def frame(self, reply: Reply) -> bytes:
        if reply.headers[0] == ("Content-Type", "application/json"):
            reply.body = reply.body[: len(reply.body.decode())]
        return super().frame(reply)


@defect("transport.framing", "transport.json-body", "response.data", "generate.minimal")
class ShortLength(Wild):
    """Content-Length says one byte less than there are, of pictures only."""

    def frame(self, reply: Reply) -> bytes:
        if reply.status == 200 and b"b64_json" in reply.body:
            reply.headers.append(("Content-Length", str(len(reply.body) - 1)))
            return self.head(reply) + reply.body
        return super().frame(reply)


# Where the second answer comes late, it is taken for that of the next request: what desynchronisation does.
@defect("transport.framing", "error.envelope", "identity.request-id")
class AnswersTwice(Wild):
    """A handler that goes on after it has answered: the second answer waits for the next client."""

    def frame(self, reply: Reply) -> bytes:
        more = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" if reply.status == 400 else b""
        return super().frame(reply) + more


@defect("transport.framing")
class FramedTwice(Wild):
    """A proxy that adds chunks and leaves the length."""

    def frame(self, reply: Reply) -> bytes:
        reply.headers += [("Transfer-Encoding", "chunked"), ("Content-Length", str(len(reply.body)))]
        return self.head(reply) + b"%x\r\n" % len(reply.body) + reply.body + b"\r\n0\r\n\r\n"


@defect("transport.content-coding")
class AlwaysCompressed(Wild):
    """A middleware that compresses what is large, whoever asks."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if len(reply.body) > 500 and ask.target.startswith(self.prefix):
            reply.body = gzip.compress(reply.body)
            reply.headers.append(("Content-Encoding", "gzip"))
        return super().dress(ask, reply)


@defect("transport.date")
class NoDate(Wild):
    """It knows the time, `created` tells it, and sends no Date."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply = super().dress(ask, reply)
        reply.headers = [line for line in reply.headers if line[0] != "Date"]
        return reply


@defect("transport.not-cacheable")
class CachedByTheFront(Wild):
    """A rule for everything: five minutes."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers.append(("Cache-Control", "max-age=300"))
        return super().dress(ask, reply)


@defect("transport.large-body")
class LargeBodyFails(Wild):
    def validate(self, ask: Ask) -> Reply | None:
        return self.error(500, "Out of memory.") if len(ask.body) > 300_000 else super().validate(ask)


@defect("transport.large-body")
class HangsUpOnLargeBodies(Wild):
    """Closed at once, with most of the body unread: no client ever gets to see an answer."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        ask = read(reader)
        if ask is None or len(ask.body) > 300_000:
            return False
        connection.sendall(self.frame(self.answer(ask)))
        return True


@defect("identity.request-id-safe")
class IdDecoded(Wild):
    """The client's id goes through a decoder on its way back."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers["x-request-id"] = unquote(ask.headers.get("x-request-id", ""))
        return super().dress(ask, reply)


@defect("identity.request-id-safe")
class IdInAColumn(Wild):
    def route(self, ask: Ask) -> Reply | None:
        long = len(ask.headers.get("x-request-id", "")) > 200
        return self.error(500, "Data too long for column.") if long else super().route(ask)


@defect("transport.framing")
class GzipInNameOnly(Wild):
    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        reply.headers.append(("Content-Encoding", "gzip"))
        return reply


@defect("transport.framing")
class CutOff(Wild):
    """The connection ends in the middle of large answers."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        ask = read(reader)
        if ask is None:
            return False
        data = self.frame(self.answer(ask))
        whole = b"b64_json" not in data[:400]
        connection.sendall(data if whole else data[: len(data) // 2])
        return whole


@defect("transport.framing", "media.fetch")
class UnfinishedChunks(Wild):
    """Chunked, without the chunk that ends it."""

    def frame(self, reply: Reply) -> bytes:
        if reply.status != 200:
            return super().frame(reply)
        reply.headers += [("Transfer-Encoding", "chunked"), ("Connection", "close")]
        return self.head(reply) + b"%x\r\n%s\r\n" % (len(reply.body), reply.body)

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        super().converse(reader, connection)
        return False


@defect("transport.synchronous")
class Job(Wild):
    """202 and a job, for more than one picture."""

    def generate(self, ask: Ask) -> Reply:
        if ask.fields.get("n", 1) > 1:
            return self.reply({"id": "job_1", "status": "queued"}, 202)
        return super().generate(ask)


@defect("transport.synchronous")
class CreatedStatus(Wild):
    """201, as REST tutorials have it."""

    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        reply.status = 201 if ask.fields.get("response_format") == "b64_json" else 200
        return reply


@defect("transport.synchronous")
class MovedPermanently(Wild):
    """A canonical address that loses the method of whoever follows it."""

    def generate(self, ask: Ask) -> Reply:
        if ask.fields.get("size") == "48x64":
            return Reply(301, b"", [("Location", f"{self.origin}{self.prefix}/images/generations/")])
        return super().generate(ask)
