# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in the pictures that they send, that no judge was written against.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import base64
import gzip
import io
import threading
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wild_check import Defects, assert_found, examine
from wild_picture import exif, painted, png, saved
from wild_server import Ask, Reply, Wild, declare

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


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


@defect("image.size", "generate.size-undeclared")
class Transposed(Wild):
    def picture(self, width: int, height: int) -> bytes:
        return super().picture(height, width)


@defect("image.size", "generate.size-undeclared")
class RoundedToSixteen(Wild):
    """Diffusers: a side that 16 does not divide is made smaller."""

    sizes = ("64x64", "40x72", "72x40")

    def picture(self, width: int, height: int) -> bytes:
        return super().picture(width // 16 * 16, height // 16 * 16)


@defect("image.size", "generate.size-undeclared")
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


@defect("image.not-blank")
class Clear(Wild):
    """A mask that was taken for the picture: its pixels differ, and none of them shows."""

    def picture(self, width: int, height: int) -> bytes:
        seen = Image.open(io.BytesIO(super().picture(width, height))).convert("RGB")
        seen.putalpha(0)
        return saved(seen, "PNG")


@defect("image.distinct")
class NumberedTwins(Wild):
    """One picture, and its number in the metadata of each copy."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: dict[int, bytes] = {}

    def generate(self, ask: Ask) -> Reply:
        size = map(int, (ask.fields.get("size") or self.default_size).split("x"))
        self.drawn[threading.get_ident()] = super().picture(*size)
        return super().generate(ask)

    def picture(self, width: int, height: int) -> bytes:
        note = PngInfo()
        note.add_text("index", str(next(self.asked)))
        return saved(Image.open(io.BytesIO(self.drawn[threading.get_ident()])), "PNG", pnginfo=note)


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


@defect("image.base64", "image.trailing-bytes")
class Unpadded(Encoding):
    def spoil(self, text: str) -> str:
        data = base64.b64decode(text)
        return base64.b64encode(data + bytes((1 - len(data)) % 3)).decode().rstrip("=")


@defect("image.base64")
class TwiceInBase64(Encoding):
    def spoil(self, text: str) -> str:
        return base64.b64encode(text.encode()).decode()


@defect("image.base64", "image.decodable")
class PythonBytes(Encoding):
    """str() of bytes, quotes and all."""

    def spoil(self, text: str) -> str:
        return f"b'{text}'"


@defect("image.decodable", "image.base64")
class Hexadecimal(Encoding):
    """Every hexadecimal digit is one of base64: it may decode, though to nothing."""

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


@defect("image.decodable", "media.fetch")
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


@defect("image.trailing-bytes")
class ErrorBehindThePicture(Picture):
    """A worker that failed after it had written the file."""

    def spoil(self, data: bytes) -> bytes:
        return data + b'{"error": "worker died"}'


@defect("image.trailing-bytes")
class TwoInOne(Wild):
    """Two pictures written into one file."""

    media_type = "image/webp"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "WEBP") + saved(painted(width, height), "WEBP")


@defect("image.size", "generate.size-undeclared")
class TurnedForViewers(Wild):
    """Stored as asked for, and tagged to be shown turned."""

    media_type = "image/jpeg"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG", exif=exif(8))


@defect("image.no-internals")
class WorkflowInside(Wild):
    """A user interface that writes its whole workflow into the file."""

    def picture(self, width: int, height: int) -> bytes:
        notes = PngInfo()
        notes.add_itxt("workflow", '{"nodes": [{"path": "/workspace/ComfyUI/models/flux.safetensors"}]}', zip=True)
        return png(width, height, pnginfo=notes)


@defect("image.one-format")
class JpegInline(Wild):
    """A store of PNGs in front of workers that answer in JPEG."""

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        if form == "b64_json":
            with Image.open(io.BytesIO(data)) as image:
                data = saved(image, "JPEG")
        return super().item(data, form, ask)


@defect("image.base64")
class SpareBits(Encoding):
    """An encoder of its own that fills up with ones."""

    def picture(self, width: int, height: int) -> bytes:
        data = super().picture(width, height)
        return data if len(data) % 3 else self.picture(width, height)

    def spoil(self, text: str) -> str:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        body, spare = text.rstrip("="), {1: 3, 2: 15}[text.count("=")]
        return body[:-1] + letters[letters.index(body[-1]) | spare] + "=" * text.count("=")


def test_a_failure_that_might_pass_is_not_taken_for_success() -> None:
    """Where two pictures always end in a documented 500, what one picture shows does not stand in for them."""

    class Fails(Wild):
        def generate(self, ask: Ask) -> Reply:
            return self.error(500, "Too much.") if ask.fields.get("n", 1) > 1 else super().generate(ask)

    result = examine(Fails()).results["generate.n-honoured"]
    assert result.outcome == "not-judged"
    assert "500" in str(result.reason)
