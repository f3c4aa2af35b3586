# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in what they answer, on a server whose faults no judge was written against.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
Requests that are let in or kept out wrongly have a table of their own.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from datetime import UTC, datetime
from typing import Any, BinaryIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wild_check import assert_found, examine
from wild_picture import painted, saved
from wild_server import MODEL, Ask, Reply, Wild, declare, read

DEFECTS: list[tuple[type[Wild], str, tuple[str, ...]]] = []


def defect(requirement: str, *also: str) -> Any:
    """Enter a server into the table: what it breaks, and what may be broken with it."""

    def enter(kind: type[Wild]) -> type[Wild]:
        DEFECTS.append((kind, requirement, also))
        return kind

    return enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS, ids=[row[0].__name__ for row in DEFECTS])
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


@defect("transport.json-body", "response.data", "error.envelope", "models.list")
class EncodedTwice(Wild):
    """JSON as a JSON string: a gateway that serialises what is serialised."""

    def encode(self, document: Any) -> bytes:
        return json.dumps(json.dumps(document)).encode()

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        reply = super().error(status, message, param)
        reply.body = json.loads(reply.body).encode()
        return reply


@defect("transport.json-body", "response.data", "generate.n-honoured", "transport.framing")
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


@defect("transport.framing")
class GzipInNameOnly(Wild):
    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        reply.headers.append(("Content-Encoding", "gzip"))
        return reply


@defect("transport.framing", "transport.json-body", "response.data", "generate.b64-json")
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


@defect("transport.framing", "transport.json-body", "response.data", "media.fetch")
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


# The success envelope.


@defect("response.created")
class IsoDate(Wild):
    """stable-diffusion.cpp 1202."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": datetime.now(UTC).isoformat(), "data": items}


@defect("response.created")
class Milliseconds(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time() * 1000), "data": items}


@defect("response.created")
class Fractions(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) + 0.25, "data": items}


@defect("response.created")
class LocalTime(Wild):
    """Seconds of a clock that stands in another zone."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) + 7200, "data": items}


@defect("response.created")
class Astronomical(Wild):
    """An integer beyond any float."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": 10**400, "data": items}


@defect("response.created")
class BeyondFloat(Wild):
    """A number that a float reader makes infinite."""

    def encode(self, document: Any) -> bytes:
        return super().encode(document).replace(b'"created": 1', b'"created": 1e400, "was": 1')


@defect("response.created")
class NoCreated(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"id": "x", "model": MODEL, "object": "list", "data": items}


@defect("response.created")
class CreatedAtStart(Wild):
    """The time at which the server was started."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) - 86400 * 3, "data": items}


@defect("response.data")
class BareArray(Wild):
    """Open WebUI."""

    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        body = json.loads(reply.body)
        return reply if ask.path == "/models" else self.reply(body["data"])


@defect("response.data", "response.created")
class Wrapped(Wild):
    """An envelope of the gateway around that of the API."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"success": True, "result": super().success(items, ask), "errors": []}


@defect("response.data")
class OneItemUnlisted(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | ({"data": items[0]} if len(items) == 1 else {})


@defect("response.data")
class ListOfStrings(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"data": [next(iter(item.values())) for item in items]}


@defect("response.data")
class ModeratedAway(Wild):
    """xAI: a moderated prompt is a 200 without a picture."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        moderated = "\u732b" in ask.fields["prompt"]
        return super().success([] if moderated else items, ask)


@defect("response.no-error")
class ErrorInSuccess(Wild):
    """OpenRouter: once generation has begun, failures are 200s."""

    def generate(self, ask: Ask) -> Reply:
        if ask.fields.get("n", 1) > 1:
            return self.reply({"error": {"message": "The provider failed.", "type": "server_error"}})
        return super().generate(ask)


@defect("response.no-error")
class ErrorNextToData(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"error": {"message": "One of them failed.", "type": "partial"}}


@defect("response.one-representation")
class NullBeside(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return {"url": None, "b64_json": None} | super().item(data, form, ask)


@defect("response.one-representation")
class BothForms(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, "url", ask) | super().item(data, "b64_json", ask)


# Which pictures come.


@defect("generate.url", "generate.default-format")
class AlwaysInline(Wild):
    """stable-diffusion.cpp: response_format is not looked at."""

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, "b64_json", ask)


@defect("generate.b64-json")
class AlwaysByUrl(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, "url", ask)


@defect("generate.default-format")
class InlineByDefault(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, form if "response_format" in ask.fields else "b64_json", ask)


@defect("generate.b64-json")
class UnderAnotherName(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        item = super().item(data, form, ask)
        return {"b64": item["b64_json"]} if "b64_json" in item else item


@defect("generate.b64-json", "image.base64", "image.decodable")
class EmptyPicture(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return {"b64_json": ""} if form == "b64_json" else super().item(data, form, ask)


@defect("generate.n-honoured")
class FewerThanAsked(Wild):
    """stable-diffusion.cpp: what fails to encode is left out."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items[:1], ask)


@defect("generate.n-honoured")
class MoreThanOneFails(Wild):
    """SGLang 14595, as a plain refusal."""

    def generate(self, ask: Ask) -> Reply:
        return self.error(400, "n = 2.") if ask.fields.get("n", 1) > 1 else super().generate(ask)


@defect("generate.default-n")
class TwoByDefault(Wild):
    def generate(self, ask: Ask) -> Reply:
        ask.fields.setdefault("n", 2)
        return super().generate(ask)


@defect("generate.default-size")
class LandscapeByDefault(Wild):
    default_size = "64x48"
    declares = declare(default_size="64x64")


@defect("image.size")
class Transposed(Wild):
    def picture(self, width: int, height: int) -> bytes:
        return super().picture(height, width)


@defect("image.size")
class RoundedToSixteen(Wild):
    """Diffusers: a side that 16 does not divide is made smaller."""

    sizes = ("64x64", "40x72", "72x40")

    def picture(self, width: int, height: int) -> bytes:
        return super().picture(width // 16 * 16, height // 16 * 16)


@defect("image.size")
class SizeIgnored(Wild):
    """LocalAI 2430."""

    def picture(self, width: int, height: int) -> bytes:
        return super().picture(64, 64)


@defect("image.distinct")
class FixedSeed(Wild):
    """SGLang: a default seed, so that n pictures are one."""

    def generate(self, ask: Ask) -> Reply:
        self.first: bytes | None = None
        return super().generate(ask)

    def picture(self, width: int, height: int) -> bytes:
        self.first = self.first or super().picture(width, height)
        return self.first


@defect("image.distinct")
class SemanticCache(Wild):
    """Prompts that look alike get the same picture."""

    def __init__(self) -> None:
        super().__init__()
        self.cached: dict[tuple[int, int], bytes] = {}

    def picture(self, width: int, height: int) -> bytes:
        return self.cached.setdefault((width, height), super().picture(width, height))


@defect("image.not-blank")
class BlackFrame(Wild):
    """A safety filter that blackens the frame."""

    def picture(self, width: int, height: int) -> bytes:
        note = PngInfo()
        note.add_text("seed", str(next(self.asked)))
        return saved(Image.new("RGB", (width, height)), "PNG", pnginfo=note)


# Their bytes.


class Encoding(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        item = super().item(data, form, ask)
        return {"b64_json": self.spoil(item["b64_json"])} if form == "b64_json" else item

    def spoil(self, text: str) -> str:
        raise NotImplementedError


@defect("image.base64")
class DataUrl(Encoding):
    def spoil(self, text: str) -> str:
        return f"data:image/png;base64,{text}"


@defect("image.base64")
class Mime(Encoding):
    def spoil(self, text: str) -> str:
        return base64.encodebytes(base64.b64decode(text)).decode()


@defect("image.base64")
class UrlSafe(Encoding):
    def spoil(self, text: str) -> str:
        return text.translate(str.maketrans("+/", "-_"))


@defect("image.base64")
class Unpadded(Encoding):
    def spoil(self, text: str) -> str:
        return base64.b64encode(base64.b64decode(text) + bytes(1)).decode().rstrip("=")


@defect("image.base64")
class TwiceInBase64(Encoding):
    def spoil(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode()


@defect("image.base64", "image.decodable")
class PythonBytes(Encoding):
    """str() of bytes, quotes and all."""

    def spoil(self, text: str) -> str:
        return f"b'{text}'"


@defect("image.base64", "image.decodable")
class Hexadecimal(Encoding):
    def spoil(self, text: str) -> str:
        return "0x" + base64.b64decode(text).hex()


class Picture(Wild):
    def picture(self, width: int, height: int) -> bytes:
        return self.spoil(super().picture(width, height))

    def spoil(self, data: bytes) -> bytes:
        raise NotImplementedError


@defect("image.decodable")
class CutPng(Picture):
    def spoil(self, data: bytes) -> bytes:
        return data[: len(data) * 2 // 3]


@defect("image.decodable")
class NoEnd(Picture):
    def spoil(self, data: bytes) -> bytes:
        return data[:-12]


@defect("image.decodable")
class BadChecksum(Picture):
    def spoil(self, data: bytes) -> bytes:
        return data[:-20] + bytes((data[-20] ^ 1,)) + data[-19:]


@defect("image.decodable", "media.fetch")
class CompressedOnceMore(Picture):
    def spoil(self, data: bytes) -> bytes:
        return gzip.compress(data)


@defect("image.decodable", "media.fetch", "media.content-type")
class Gif(Wild):
    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "GIF")


@defect("image.decodable", "media.fetch")
class ErrorPageAsPicture(Picture):
    def spoil(self, data: bytes) -> bytes:
        return b"<html><body><h1>502 Bad Gateway</h1></body></html>" + str(next(self.asked)).encode()


@defect("image.decodable")
class CutJpeg(Wild):
    media_type = "image/jpeg"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG", quality=95)[:-40]


@defect("image.decodable")
class CutWebp(Wild):
    media_type = "image/webp"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "WEBP")[:-30]


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
        return "/root/.xinference/image/" + url.rpartition("/")[2]


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


@defect("media.content-type")
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


@defect("models.list", "models.target-listed")
class ModelsAsArray(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply([{"id": MODEL}]) if ask.path == "/models" else super().generate(ask)


@defect("models.target-listed")
class OtherModels(Wild):
    def generate(self, ask: Ask) -> Reply:
        return self.reply({"data": [{"id": "other"}]}) if ask.path == "/models" else super().generate(ask)


def test_a_failure_that_might_pass_is_not_taken_for_success() -> None:
    """Where two pictures always end in a documented 500, what one picture shows does not stand in for them."""

    class Fails(Wild):
        def generate(self, ask: Ask) -> Reply:
            return self.error(500, "Too much.") if ask.fields.get("n", 1) > 1 else super().generate(ask)

    result = examine(Fails()).results["generate.n-honoured"]
    assert result.outcome == "not-judged"
    assert "500" in str(result.reason)
