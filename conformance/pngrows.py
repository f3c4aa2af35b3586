"""Whether a PNG's compressed data hold all of its rows. Pillow fills missing ones with black and says nothing."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from isal import isal_zlib

_SIGNATURE_BYTES = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type (PNG specification, section 11.2.2)."""
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row and the steps of each pass (section 8.2)."""
_PIECE_BYTES = 1 << 20


class _Inflater(Protocol):
    """What zlib and isal have in common."""

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def missing_rows(data: bytes) -> str | None:
    """What is missing of a PNG whose chunks are in order, or None.

    Raises:
        zlib.error: the compressed data are damaged.
    """
    if data[12:16] != b"IHDR":
        return None  # its measures are not where they belong; what that is worth, a decoder says
    announced = _announced_bytes(data)
    try:
        if _inflated_bytes(data, announced, isal_zlib.decompressobj()) >= announced:
            return None
    except isal_zlib.error:  # type: ignore[misc]  # a class, whatever its stub says
        pass  # zlib, which takes longer, says what is wrong
    inflated = _inflated_bytes(data, announced, zlib.decompressobj())
    if inflated < announced:
        return f"its rows are missing from {inflated / announced:.0%} on"
    return None


def _inflated_bytes(data: bytes, announced: int, inflater: _Inflater) -> int:
    """How many bytes of rows there are, as far as they were announced."""
    inflated = 0
    for payload in _image_data(data):
        while payload and inflated < announced:
            inflated += len(inflater.decompress(payload, _PIECE_BYTES))
            payload = inflater.unconsumed_tail
    return inflated


def _announced_bytes(data: bytes) -> int:
    """How many bytes the rows of all passes take, each with its filter byte (section 7.3)."""
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    depth, colour, interlaced = data[24], data[25], data[28]
    total = 0
    for left, top, step_x, step_y in _ADAM7 if interlaced else _WHOLE:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * _CHANNELS.get(colour, 0) * depth // 8))
    return total


def _image_data(data: bytes) -> Iterator[bytes]:
    position = _SIGNATURE_BYTES
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        if data[position + 4 : position + 8] == b"IDAT":
            yield data[position + 8 : position + 8 + length]
        position += 12 + length
