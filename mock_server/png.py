"""As much of PNG as it takes to read and write a text chunk (W3C PNG, sections 5.3 and 11.3.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(SIGNATURE) + 25
"""Where the first chunk, IHDR, ends."""


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and data of each whole chunk; nothing where the bytes are no PNG."""
    if not png.startswith(SIGNATURE):
        return
    at = len(SIGNATURE)
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        if at + 12 + length > len(png):
            return
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """The picture with a chunk more, right after its header."""
    return png[:_HEADER_END] + chunk(kind, data) + png[_HEADER_END:]


def with_text(png: bytes, keyword: bytes, text: bytes) -> bytes:
    """The picture with a text chunk more, right after its header."""
    return with_chunk(png, b"tEXt", keyword + b"\0" + text)


def text_of(png: bytes, keyword: bytes) -> bytes | None:
    """The text under a keyword, or None."""
    for kind, data in chunks(png):
        if kind == b"tEXt" and data.startswith(keyword + b"\0"):
            return data[len(keyword) + 1 :]
    return None
