"""Whether a JPEG's compressed data hold all of its picture. libjpeg fills what is missing with grey and only warns.

Data that are complete are read to their last block, whatever stands behind it: more of them change no pixel (ITU-T
T.81, section E.2: a decoder knows from the header how many blocks there are, and looks for a marker next). Where some
are missing, what is put before the end marker is taken for them, and is to be seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import warnings

from PIL import Image

# In compressed data 0xFF is followed by 0 or a restart; before a marker it may be repeated (ITU-T T.81, B.1.1.2).
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END, _NO_LENGTH = 0xD9, (0x01, 0xD8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN = (0xC0, 0xC1, 0xC2)
"""Sequential and progressive. An arithmetic encoder may leave out zeros at the end of its data (section D.1.8)."""
_BLOCKS = bytes(byte for number in range(8) for byte in hashlib.sha256(bytes([number])).digest() if byte != 0xFF)
_MORE = _BLOCKS + b"".join(bytes([0xFF, 0xD0 + number]) + _BLOCKS[:64] for number in range(8))
"""Some bits that are no marker, and the same after each restart, for whoever waits for one."""


def missing_blocks(data: bytes, pixels: str) -> str | None:
    """What is missing of a JPEG whose segments are in order, or None.

    Args:
        pixels: the SHA-256 of its decoded pixels.
    """
    end = _end_of_huffman(data)
    if end is None:
        return None
    while data[end - 1] == 0xFF:
        end -= 1
    filled = pixels
    with contextlib.suppress(OSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; whoever asks has its bound
        with Image.open(io.BytesIO(data[:end] + _MORE + data[end:]), formats=("JPEG",)) as image:
            filled = hashlib.sha256(image.tobytes()).hexdigest()
    return None if filled == pixels else "its compressed data end before the picture does"


def _end_of_huffman(data: bytes) -> int | None:
    """Where the end marker of a Huffman-coded picture stands; None where the picture is coded otherwise."""
    position = 2
    coding = None
    while (found := MARKER.search(data, position)) is not None:
        marker, position = data[found.end() - 1], found.end()
        if marker == _END:
            return found.start() if coding in _HUFFMAN else None
        if marker in _FRAMES:
            coding = marker
        if marker not in _NO_LENGTH:
            position += max(2, int.from_bytes(data[position : position + 2]))
    return None
