"""What a picture's bytes really are: format, size, wholeness, and whether anything is on it.

Pillow decodes; the structure around the pixels is walked here, because Pillow forgives truncated files
and checksums in places where a browser or a printer does not.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import re
import warnings
import zlib
from dataclasses import dataclass

import pybase64
from isal import isal_zlib
from PIL import Image

from testcard.conformance.pngrows import missing_rows
from testcard.core.record import Picture

_PNG = b"\x89PNG\r\n\x1a\n"
_FORMATS = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
_TWICE = "it is base64 of base64"
_MOST_PIXELS = 64_000_000
_SHORT_BYTES = 512
_SHORT_PIXELS = 50  # a byte; one colour takes about that in a JPEG, and less in the others
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an inspection found."""

    picture: Picture
    problem: str | None = None
    """Why it is not a whole picture, or None."""
    blank: bool | None = None
    """Every pixel has the same colour; None: nobody looked."""


def inspect(data: bytes, *, full: bool = True) -> Inspection:
    """Look at a picture's bytes.

    Args:
        full: decode every pixel; otherwise headers, structure and checksums only, unless it is so short for its size
            that it may well be of one colour.
    """
    digest = hashlib.sha256(data).hexdigest()
    kind = _magic(data)
    if kind is None:
        return Inspection(
            Picture(len(data), digest), f"the bytes are no PNG, JPEG or WebP: they begin with {_start(data)}"
        )
    problem = _structure(kind, data)
    width = height = None
    blank = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the bound is ours
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as image:
                width, height = image.size
                if width * height > _MOST_PIXELS:
                    problem = problem or f"{width}x{height} is more than this reader decodes"
                elif full or len(data) < max(_SHORT_BYTES, width * height // _SHORT_PIXELS):
                    image.load()
                    blank = _blank(image)
                    problem = problem or (missing_rows(data) if kind == "png" else None)
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        problem = problem or f"it does not decode: {error}"
    return Inspection(Picture(len(data), digest, kind, width, height), problem, None if problem else blank)


def strict_base64(text: str) -> tuple[bytes | None, str | None]:
    """The bytes that base64 text stands for, and what is wrong with it (RFC 4648, sections 3 and 4).

    The bytes are what a lenient decoder makes of it, so that the picture can be judged all the same.
    """
    if (decoded := _decoded(text)) is not None:
        return decoded, None
    data = text.encode("utf-8", "replace")
    problem = _base64_problem(data)
    if problem is None:
        return binascii.a2b_base64(data), None
    if problem == _TWICE:
        return binascii.a2b_base64(binascii.a2b_base64(data)), problem
    lenient = re.sub(rb"^data:[^,]*,", b"", data).translate(bytes.maketrans(b"-_", b"+/"))
    lenient = re.sub(rb"[^A-Za-z0-9+/]", b"", lenient)
    try:
        decoded = binascii.a2b_base64(lenient + b"=" * (-len(lenient) % 4))
    except binascii.Error:
        return None, problem
    return decoded, problem


def _decoded(text: str) -> bytes | None:
    """The bytes of base64 that nothing is wrong with, or None: then the slow way says what is."""
    try:
        decoded = pybase64.b64decode(text, validate=True)
    except ValueError:
        return None
    return None if not decoded or _is_base64(decoded) else decoded


def _is_base64(data: bytes) -> bool:
    return len(data) > 64 and len(data) % 4 == 0 and _BASE64.fullmatch(data) is not None


def _base64_problem(data: bytes) -> str | None:
    if not data:
        return "it is empty"
    if data.startswith(b"data:"):
        return "it is a data URL, not bare base64"
    if _BASE64.fullmatch(data) is None:
        if re.search(rb"\s", data):
            return "it holds white space or line breaks (RFC 4648, section 3.1)"
        if re.search(rb"[-_]", data):
            return "it uses the URL-safe alphabet (RFC 4648, section 5)"
        return "it holds characters outside the base64 alphabet (RFC 4648, section 3.3)"
    if len(data) % 4:
        return "its padding is missing (RFC 4648, section 3.2)"
    try:
        decoded = binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error as error:
        return f"it does not decode: {error}"
    return _TWICE if _is_base64(decoded) else None


def _magic(data: bytes) -> str | None:
    if data.startswith(_PNG):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def _structure(kind: str, data: bytes) -> str | None:
    if kind == "png":
        return _png_structure(data)
    if kind == "jpeg":
        return None if data.rstrip(b"\0").rfind(b"\xff\xd9") > 0 else "the JPEG has no end marker: it is truncated"
    announced = int.from_bytes(data[4:8], "little") + 8
    return None if len(data) >= announced else f"the WebP announces {announced} bytes and has {len(data)}"


def _png_structure(data: bytes) -> str | None:
    """Every chunk complete with a right CRC, up to IEND (PNG specification, section 5.3)."""
    view = memoryview(data)
    position = len(_PNG)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4])
        end = position + 12 + length
        name = bytes(view[position + 4 : position + 8])
        if end > len(data):
            return f"the PNG is truncated in its {name.decode('ascii', 'replace')} chunk"
        if isal_zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            return f"the checksum of the PNG's {name.decode('ascii', 'replace')} chunk is wrong"
        if name == b"IEND":
            return None
        position = end
    return "the PNG has no IEND chunk: it is truncated"


def _blank(image: Image.Image) -> bool:
    """One colour all over. The alpha channel counts: black ink on nothing is something to see.

    Only palettes are converted: a conversion of 16-bit gray to RGB would cut every value above 255.
    """
    converted = image.convert("RGBA") if image.mode in ("P", "PA") else image
    bands = converted.getextrema()
    pairs = bands if isinstance(bands[0], tuple) else (bands,)
    return all(low == high for low, high in pairs)


def _start(data: bytes) -> str:
    return repr(bytes(data[:24]))[1:] if data else "nothing"
