"""What a picture's bytes really are: format, size, wholeness, and whether anything is on it.

Pillow decodes; the structure around the pixels is walked in container.py.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import re
import struct
import warnings
import zlib
from typing import NamedTuple

import pybase64
from PIL import Image

from testcard.conformance.container import kind_of, walk
from testcard.conformance.jpegscan import missing_blocks
from testcard.conformance.leak import path_or_key
from testcard.conformance.pngrows import missing_rows
from testcard.core.record import Picture

_FORMATS = ("PNG", "JPEG", "WEBP")
_ORIENTATION, _TURNED = 0x0112, range(5, 9)
"""The EXIF tag (CIPA DC-008, section 4.6.4), and the values that exchange width and height."""
_TWICE = "it is base64 of base64"
_MOST_PIXELS = 64_000_000
_HEADER = struct.Struct("!8sIIBBBBB")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_SHORT_BYTES = 512
_SHORT_PIXELS = 50  # a byte; one colour takes about that in a JPEG, and less in the others
_VALUES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PAD_BITS = {1: 0b11, 2: 0b1111}
"""By the number of padding characters: the bits of the last other character that stand for nothing."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


class Inspection(NamedTuple):
    """What an inspection found."""

    picture: Picture
    """Width and height are those that are stored."""
    problem: str | None = None
    """Why it is not a whole picture, or None."""
    blank: bool | None = None
    """Every pixel has the same colour; None: nobody looked."""
    turned: bool = False
    """A viewer turns it by a quarter, as its EXIF orientation says: width and height change places."""
    trailing_bytes: int = 0
    """How much stands behind the end of its file."""
    leak: str | None = None
    """What of a server's inside stands in its metadata, or None; looked for where pixels are."""
    pixels: str | None = None
    """A digest of what is to be seen, whatever the file around it; None: nobody looked, there is nothing, or no other
    picture to compare it with."""

    @property
    def shown_px(self) -> tuple[int, int] | None:
        """Width and height as a viewer shows them; None where they could not be read."""
        width, height = self.picture.width_px, self.picture.height_px
        if width is None or height is None:
            return None
        return (height, width) if self.turned else (width, height)


def inspect(data: bytes, *, full: bool = True, alone: bool = True) -> Inspection:
    """Look at a picture's bytes.

    Args:
        full: decode every pixel and read the metadata; otherwise headers, structure and checksums only, unless it is
            so short for its size that it may well be of one colour.
        alone: there is no other, whose pixels could be the same.
    """
    digest = hashlib.sha256(data).hexdigest()
    kind = kind_of(data)
    if kind is None:
        return Inspection(
            Picture(len(data), digest), f"the bytes are no PNG, JPEG or WebP: they begin with {_start(data)}"
        )
    container = walk(kind, data)
    problem = container.problem
    if not full and kind == "png" and problem is None and (size := _plain_size(data)) is not None:
        return Inspection(Picture(len(data), digest, kind, *size), trailing_bytes=container.trailing_bytes)
    width = height = leak = pixels = None
    blank = None
    turned = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the bound is ours
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > _MOST_PIXELS:
                    problem = problem or f"{width}x{height} is more than this reader decodes"
                elif full or _short(data, width, height):
                    image.load()
                    blank = _blank(image)
                    leak = _leak(image)
                    still = getattr(image, "n_frames", 1) == 1  # what moves may begin alike
                    compared = still and not blank and not alone
                    seen = hashlib.sha256(image.tobytes()).hexdigest() if compared or kind == "jpeg" else None
                    problem = problem or _missing(kind, data, seen)
                    pixels = seen if compared else None
                turned = _turned(image)
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        problem = problem or f"it does not decode: {error}"
    return Inspection(
        Picture(len(data), digest, kind, width, height),
        problem,
        blank=None if problem else blank,
        turned=turned,
        trailing_bytes=container.trailing_bytes,
        leak=leak,
        pixels=None if problem else pixels,
    )


def _missing(kind: str, data: bytes, pixels: str | None) -> str | None:
    """What a decoder of this kind fills in without a word."""
    if kind == "png":
        return missing_rows(data)
    return missing_blocks(data, pixels) if kind == "jpeg" and pixels is not None else None


def strict_base64(text: str) -> tuple[bytes | None, str | None]:
    """The bytes that base64 text stands for, and what is wrong with it (RFC 4648, sections 3 and 4).

    The bytes are what a lenient decoder makes of it, so that the picture can be judged all the same.
    """
    if (right := decoded(text)) is not None:
        return right, None
    data = text.encode("utf-8", "replace")
    problem = _base64_problem(data)
    if problem is None:
        return binascii.a2b_base64(data), None
    if problem == _TWICE:
        return binascii.a2b_base64(binascii.a2b_base64(data)), problem
    lenient = re.sub(rb"^data:[^,]*,", b"", data).translate(bytes.maketrans(b"-_", b"+/"))
    lenient = re.sub(rb"[^A-Za-z0-9+/]", b"", lenient)
    try:
        guessed = binascii.a2b_base64(lenient + b"=" * (-len(lenient) % 4))
    except binascii.Error:
        return None, problem
    return guessed, problem


def decoded(text: str | memoryview) -> bytes | None:
    """The bytes of base64 that nothing is wrong with, or None: then `strict_base64` says what is."""
    try:
        data = pybase64.b64decode(text, validate=True)
    except ValueError:
        return None
    end = text[-4:]
    if not data or _is_base64(data) or _has_loose_bits(end.encode() if isinstance(end, str) else bytes(end)):
        return None
    return data


def _has_loose_bits(data: bytes) -> bool:
    """Whether padded base64 ends in a character some of whose bits stand for nothing and are not zero."""
    padding = data.count(b"=", -2)
    return padding > 0 and _VALUES.index(data[-padding - 1]) & _PAD_BITS[padding] != 0


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
    if _has_loose_bits(data):
        return "its last character carries bits that must be zero (RFC 4648, section 3.5)"
    try:
        decoded = binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error as error:
        return f"it does not decode: {error}"
    return _TWICE if _is_base64(decoded) else None


def _plain_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG whose header leaves a decoder nothing to say (section 11.2.2), or None."""
    if data.find(b"eXIf", 0, data.find(b"IDAT")) >= 0:
        return None  # which may turn it
    begin, width, height, depth, colour, compression, filtering, interlace = _HEADER.unpack_from(data.ljust(33), 8)
    if begin != b"\0\0\0\rIHDR" or depth not in _DEPTHS.get(colour, ()) or (compression, filtering) != (0, 0):
        return None
    plain = interlace in (0, 1) and 0 < width * height <= _MOST_PIXELS and not _short(data, width, height)
    return (width, height) if plain else None


def _short(data: bytes, width: int, height: int) -> bool:
    return len(data) < max(_SHORT_BYTES, width * height // _SHORT_PIXELS)


def _blank(image: Image.Image) -> bool:
    """One colour all over, or nothing at all: black ink on a clear ground is something to see.

    Only palettes are converted: a conversion of 16-bit gray to RGB would cut every value above 255. An animation may
    well begin with nothing.
    """
    if getattr(image, "n_frames", 1) > 1:
        return False
    converted = image.convert("RGBA") if image.mode in ("P", "PA") else image
    middle = converted.height // 2
    # Where a few rows show something, the whole picture does.
    return _uniform(converted.crop((0, middle, converted.width, middle + 1))) and _uniform(converted)


def _uniform(image: Image.Image) -> bool:
    bands = image.getextrema()
    pairs = bands if isinstance(bands[0], tuple) else (bands,)
    if image.mode in ("RGBA", "LA") and pairs[-1] == (0, 0):
        return True
    return all(low == high for low, high in pairs)


def _turned(image: Image.Image) -> bool:
    """Whether its EXIF orientation exchanges width and height; damaged EXIF turns nothing."""
    try:
        return "exif" in image.info and image.getexif().get(_ORIENTATION) in _TURNED
    except (OSError, SyntaxError, ValueError, KeyError, struct.error):
        return False


def _leak(image: Image.Image) -> str | None:
    """What of a server's inside stands in the comments, EXIF and XMP of a picture; a colour profile is nobody's."""
    for name, value in image.info.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        leak = path_or_key(text) if isinstance(text, str) and name != "icc_profile" else None
        if leak is not None:
            return f"{name} holds {leak}"
    return None


def _start(data: bytes) -> str:
    return repr(bytes(data[:24]))[1:] if data else "nothing"
