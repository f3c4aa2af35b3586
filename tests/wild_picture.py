"""Pictures in every form that a server may send, each different from the last."""

from __future__ import annotations

import io
import itertools
import struct
import threading
import zlib

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

_numbers = itertools.count(1)
_lock = threading.Lock()


def painted(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture of a few coloured boxes; no two are alike."""
    with _lock:
        number = next(_numbers)
    image = Image.new("RGB", (width, height), (number * 37 % 256, number * 91 % 256, 80))
    draw = ImageDraw.Draw(image)
    for bit in range(16):
        shade = 250 if number >> bit & 1 else 20
        left = bit * width // 16
        draw.rectangle((left, 0, left + width // 16 - 1, height // 2), (shade, 255 - shade, bit * 15))
    return image if mode == "RGB" else image.convert(mode)


def png(width: int, height: int, mode: str = "RGB", **how: object) -> bytes:
    """A PNG of that mode."""
    return saved(painted(width, height, mode), "PNG", compress_level=1, **how)


def saved(image: Image.Image, form: str, **how: object) -> bytes:
    """The file that a picture makes."""
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def gray16(width: int, height: int) -> bytes:
    """A 16-bit gray PNG, all of whose values are above 255."""
    rows = _rows(painted(width, height, "L").tobytes(), width)
    return _assembled(width, height, 16, 0, [b"".join(bytes((128 + v // 2, 7)) for v in row) for row in rows])


def colour16(width: int, height: int) -> bytes:
    """A PNG of 16 bits a channel."""
    rows = _rows(painted(width, height).tobytes(), 3 * width)
    return _assembled(width, height, 16, 2, [b"".join(bytes((v, 7)) for v in row) for row in rows])


def interlaced(width: int, height: int) -> bytes:
    """A PNG in Adam7 order, which Pillow reads and cannot write."""
    rows = _rows(painted(width, height).tobytes(), 3 * width)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    ordered = [
        b"".join(row[3 * x : 3 * x + 3] for x in range(left, width, right))
        for left, top, right, down in passes
        for row in rows[top::down]
        if left < width
    ]
    return _assembled(width, height, 8, 2, ordered, interlace=1)


def ink(width: int, height: int) -> bytes:
    """Black ink on nothing: what is to be seen stands in the alpha channel alone."""
    black = Image.new("RGBA", (width, height))
    black.putalpha(painted(width, height, "L"))
    return saved(black, "PNG")


def annotated(width: int, height: int) -> bytes:
    """A PNG with ancillary chunks before and after the pixels."""
    notes = PngInfo()
    notes.add_text("Software", "a generator")
    notes.add_itxt("Description", "une mire, \u4e00\u5f20", zip=True)
    notes.add(b"teSt", b"private", after_idat=True)
    return png(width, height, pnginfo=notes, dpi=(72, 72), icc_profile=b"not looked at" * 20)


def exif(orientation: int = 1) -> bytes:
    """A little EXIF."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x0131] = "a generator"
    return tags.tobytes()


def _rows(data: bytes, length: int) -> list[bytes]:
    return [data[at : at + length] for at in range(0, len(data), length)]


def _assembled(width: int, height: int, depth: int, kind: int, rows: list[bytes], interlace: int = 0) -> bytes:
    """A PNG by hand: unfiltered rows in the order given."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")
