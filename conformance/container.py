"""How a picture's file is put together around its pixels: whether it is complete, and where it ends.

Pillow forgives truncated files, wrong checksums and whatever stands behind the end; a browser, a printer or a
program that appends to files may not.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from isal import isal_zlib

from testcard.conformance.jpegscan import MARKER

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct("!I4s")
_JPEG_START = b"\xff\xd8"
_START, _END = 0xD8, 0xD9
_WITHOUT_LENGTH = (0x01, _START)
_APPLICATION = range(0xE1, 0xE3)
# What announces more pictures or a film behind the first: Multi-Picture Format (CIPA DC-007), Android's motion photo
# and its container of several pictures.
_ANNOUNCES_MORE = re.compile(rb"MPF\0|MotionPhoto|MicroVideo|ns\.google\.com/photos/1\.0/container")


@dataclass(frozen=True, slots=True)
class Container:
    """A picture's file, walked from its start to its end."""

    problem: str | None = None
    """Why it is not complete, or None."""
    trailing_bytes: int = 0
    """How much stands behind its end and belongs to nothing."""


_WHOLE = Container()


def kind_of(data: bytes) -> str | None:
    """`png`, `jpeg` or `webp` by the first bytes, or None."""
    if data.startswith(PNG_SIGNATURE):
        return "png"
    if data.startswith(_JPEG_START + b"\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def walk(kind: str, data: bytes) -> Container:
    """Walk through a file of that kind."""
    return _WALKS[kind](data)


def _png(data: bytes) -> Container:
    """Every chunk complete with a right CRC, up to IEND (PNG specification, sections 5.3 and 5.6)."""
    view = memoryview(data)
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, name = _CHUNK.unpack_from(data, position)
        end = position + 12 + length
        if end > len(data):
            return Container(f"the PNG is truncated in its {name.decode('ascii', 'replace')} chunk")
        if isal_zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return Container(f"the checksum of the PNG's {name.decode('ascii', 'replace')} chunk is wrong")
        if name == b"IEND":
            return Container(trailing_bytes=len(data) - end) if end < len(data) else _WHOLE
        position = end
    return Container("the PNG has no IEND chunk: it is truncated")


def _jpeg(data: bytes) -> Container:
    """Segment by segment to the end of the image (ITU-T T.81, annex B); zeros and fill bytes behind it are padding."""
    position = len(_JPEG_START)
    announces_more = False
    while (found := MARKER.search(data, position)) is not None:
        marker, position = data[found.end() - 1], found.end()
        if marker == _END:
            rest = 0 if announces_more else len(data[position:].rstrip(b"\0\xff"))
            return Container(trailing_bytes=rest)
        if marker in _WITHOUT_LENGTH:
            continue
        end = position + max(2, int.from_bytes(data[position : position + 2]))
        if marker in _APPLICATION:
            announces_more = announces_more or _ANNOUNCES_MORE.search(data, position, end) is not None
        position = end
    return Container("the JPEG has no end marker: it is truncated")


def _webp(data: bytes) -> Container:
    """As long as its header says (RFC 9649, section 2.4)."""
    end = int.from_bytes(data[4:8], "little") + 8
    if len(data) < end:
        return Container(f"the WebP announces {end} bytes and has {len(data)}")
    return Container(trailing_bytes=max(0, len(data) - end - end % 2))


_WALKS: dict[str, Callable[[bytes], Container]] = {"png": _png, "jpeg": _jpeg, "webp": _webp}
