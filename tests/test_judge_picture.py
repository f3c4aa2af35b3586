"""What a picture's bytes really are: every format, whole and broken, blank and not."""

from __future__ import annotations

import base64
import io
import itertools
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from testcard.conformance.picture import inspect, strict_base64


def picture(form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (24, 16), **options: object) -> bytes:
    """Noise, so that it is not blank."""
    noise = Image.effect_noise(size, 80)
    image = (
        noise.convert(mode) if mode != "I;16" else noise.convert("I").point(lambda value: value * 200).convert("I;16")
    )
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *, interlaced: bool = False, pieces: int = 1
) -> bytes:
    """A PNG by hand (PNG specification, section 11.2)."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(rows)
    cuts = [len(packed) * number // pieces for number in range(pieces + 1)]
    data = [chunk(b"IDAT", packed[start:end]) for start, end in itertools.pairwise(cuts)]
    parts = [chunk(b"IHDR", header), *data, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def closed(jpeg: bytes, share: float) -> bytes:
    """Cut in its last scan, and ended as if that were all."""
    scan = jpeg.rindex(b"\xff\xda") + 14
    return jpeg[: scan + int((len(jpeg) - scan) * share)].rstrip(b"\xff") + b"\xff\xd9"


def at_restart(jpeg: bytes) -> bytes:
    """Ended where the third restart would be."""
    return jpeg[: jpeg.index(b"\xff\xd2")] + b"\xff\xd9"


WHOLE = {
    "png": (picture(), "png"),
    "gray": (picture(mode="L"), "png"),
    "one bit": (picture(mode="1"), "png"),
    "palette": (picture(mode="P"), "png"),
    "with alpha": (picture(mode="RGBA"), "png"),
    "gray with alpha": (picture(mode="LA"), "png"),
    "16 bit": (picture(mode="I;16"), "png"),
    "by hand": (png(2, 1, 8, 2, b"\0\1\2\3\4\5\6"), "png"),
    "two bits": (png(3, 2, 2, 0, b"\0\x1b\0\xe4"), "png"),
    "interlaced": (png(2, 2, 8, 0, b"\0\1\0\2\0\3\4", interlaced=True), "png"),
    "data in several chunks": (png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", pieces=5), "png"),
    "jpeg": (picture("JPEG"), "jpeg"),
    "progressive jpeg": (picture("JPEG", progressive=True), "jpeg"),
    "gray jpeg": (picture("JPEG", mode="L"), "jpeg"),
    "cmyk jpeg": (picture("JPEG", mode="CMYK"), "jpeg"),
    "jpeg with restarts": (picture("JPEG", restart_marker_blocks=1), "jpeg"),
    "jpeg in one colour per block": (picture("JPEG", quality=1), "jpeg"),
    "jpeg without subsampling": (picture("JPEG", subsampling=0, optimize=True), "jpeg"),
    "jpeg with fill before its end": (picture("JPEG")[:-2] + b"\xff\xff\xff\xd9", "jpeg"),
    "jpeg with more than its blocks": (picture("JPEG")[:-2] + b"\x12\x34" * 9 + b"\xff\xd9", "jpeg"),
    "jpeg with padding": (picture("JPEG") + b"\0\0", "jpeg"),
    "webp": (picture("WEBP"), "webp"),
    "lossless webp": (picture("WEBP", lossless=True), "webp"),
    "webp with alpha": (picture("WEBP", mode="RGBA"), "webp"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("full", [True, False])
def test_a_whole_picture_is_one(name: str, full: bool) -> None:
    """Format, width and height are told; nothing is wrong, and it is not blank."""
    data, form = WHOLE[name]
    found = inspect(data, full=full)
    assert found.problem is None
    assert found.blank is False or (found.blank is None and not full)
    size = {"by hand": (2, 1), "two bits": (3, 2), "interlaced": (2, 2), "data in several chunks": (2, 1)}.get(
        name, (24, 16)
    )
    assert (found.picture.format, found.picture.width_px, found.picture.height_px) == (form, *size)
    assert (found.picture.size_bytes, len(found.picture.sha256)) == (len(data), 64)


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


PNG = picture()
BROKEN = {
    "nothing": (b"", None),
    "text": (b"no picture today", None),
    "html": (b"<html><body>404</body></html>", None),
    "gif": (picture("GIF", mode="P"), None),
    "a png's signature alone": (PNG[:8], "png"),
    "a png cut in half": (PNG[: len(PNG) // 2], "png"),
    "a png without its last chunk": (PNG[:-12], "png"),
    "a png without its last byte": (PNG[:-1], "png"),
    "a wrong checksum": (_flip(PNG, len(PNG) - 20), "png"),
    "a wrong checksum of the header": (_flip(PNG, 30), "png"),
    "too few rows": (png(2, 2, 8, 2, b"\0\1\2\3\4\5\6"), "png"),
    "too few interlaced rows": (png(2, 2, 8, 0, b"\0\1\0\2\0\3", interlaced=True), "png"),
    "rows that do not inflate": (PNG[:8] + PNG[8:33] + chunk(b"IDAT", b"xxxx") + chunk(b"IEND", b""), "png"),
    "a jpeg cut in half": (picture("JPEG")[:200], "jpeg"),
    "a jpeg without its end": (picture("JPEG")[:-2], "jpeg"),
    # libjpeg fills the rest with grey and says nothing; the last one is cut where a restart is due.
    "a jpeg cut and closed": (closed(picture("JPEG", size=(200, 160)), 0.5), "jpeg"),
    "a jpeg that lacks its last rows": (closed(picture("JPEG", size=(200, 160)), 0.95), "jpeg"),
    "a gray jpeg cut and closed": (closed(picture("JPEG", mode="L", size=(200, 160)), 0.5), "jpeg"),
    "a progressive jpeg cut and closed": (closed(picture("JPEG", progressive=True), 0.7), "jpeg"),
    "a jpeg cut at a restart": (at_restart(picture("JPEG", size=(200, 160), restart_marker_rows=1)), "jpeg"),
    "a jpeg's beginning alone": (b"\xff\xd8\xff\xe0\xff\xd9", "jpeg"),
    "a webp cut in half": (picture("WEBP")[:100], "webp"),
    "a webp's beginning alone": (b"RIFF\x04\0\0\0WEBP", "webp"),
    "a bomb": (png(30000, 30000, 8, 2, b"\0"), "png"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_says_what_is_wrong(name: str) -> None:
    """Never an exception, whatever the bytes: one sentence, and no verdict on blankness."""
    data, form = BROKEN[name]
    found = inspect(data)
    assert found.problem
    assert found.picture.format == form
    assert not found.blank


@pytest.mark.parametrize(
    "name", ["a png cut in half", "a wrong checksum", "a jpeg without its end", "a webp cut in half"]
)
def test_a_quick_look_sees_the_structure_too(name: str) -> None:
    """Under load pixels are not decoded; cuts and checksums are seen all the same."""
    assert inspect(BROKEN[name][0], full=False).problem


def _blank(form: str, mode: str, colour: object) -> bytes:
    data = io.BytesIO()
    Image.new(mode, (16, 16), colour).save(data, form)  # type: ignore[arg-type]  # colours differ by mode
    return data.getvalue()


@pytest.mark.parametrize(
    ("form", "mode", "colour"),
    [
        ("PNG", "RGB", (0, 0, 0)),
        ("PNG", "RGB", (12, 200, 7)),
        ("PNG", "L", 255),
        ("PNG", "1", 1),
        ("PNG", "P", 3),
        ("PNG", "I;16", 40000),
        ("PNG", "RGBA", (1, 2, 3, 255)),
        ("JPEG", "RGB", (128, 128, 128)),
        ("WEBP", "RGB", (255, 255, 255)),
    ],
)
def test_a_picture_of_one_colour_is_blank(form: str, mode: str, colour: object) -> None:
    """In every mode and format; a quick look sees it too, or says nothing about it."""
    data = _blank(form, mode, colour)
    assert inspect(data).blank
    assert inspect(data, full=False).blank is not False


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_quick_look_decodes_what_is_short_for_its_size(form: str) -> None:
    """A picture of one colour is found without decoding every picture; noise is left undecoded."""
    flat, noise = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (1024, 768), "white").save(flat, form)
    Image.effect_noise((256, 256), 90).convert("RGB").save(noise, form)
    assert inspect(flat.getvalue(), full=False).blank
    assert inspect(noise.getvalue(), full=False).blank is None


def test_one_pixel_makes_a_picture() -> None:
    """One pixel that differs, in any mode with 8 or 16 bits, is not blank; nor is what only alpha draws."""
    for mode, colour, other in (("RGB", (0, 0, 0), (0, 0, 1)), ("L", 0, 1), ("I;16", 40000, 40001),
                                ("RGBA", (0, 0, 0, 0), (0, 0, 0, 255))):  # fmt: skip
        image = Image.new(mode, (16, 16), colour)
        image.putpixel((3, 3), other)
        data = io.BytesIO()
        image.save(data, "PNG")
        assert not inspect(data.getvalue()).blank, mode


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBPVP8 "])
)
@settings(deadline=None, max_examples=100, database=None)
def test_no_bytes_are_an_error_of_ours(data: bytes, magic: bytes) -> None:
    """Random bytes behind any signature are inspected, not crashed on."""
    assert inspect(magic + data).problem


@given(st.binary(min_size=1, max_size=300))
@settings(deadline=None, max_examples=100, database=None)
def test_standard_base64_is_strict(data: bytes) -> None:
    """What a base64 library writes has no fault, unless the bytes are themselves base64."""
    decoded, problem = strict_base64(base64.b64encode(data).decode())
    assert problem is None or problem.startswith("it is base64 of base64")
    assert problem or decoded == data


TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data:image/png;base64," + TEXT, "data URL"),
        (base64.encodebytes(PNG).decode(), "line breaks"),
        (" " + TEXT, "white space"),
        (base64.urlsafe_b64encode(b"\xff\xfe" * 6).decode(), "URL-safe"),
        (base64.b64encode(b"abcd").decode().rstrip("="), "padding"),
        (base64.b64encode(TEXT.encode()).decode(), "base64 of base64"),
        (TEXT + "!", "outside the base64 alphabet"),
        ("", "empty"),
        ("\ud800", "outside"),
        ("A", "padding"),
    ],
    ids=range(10),
)
def test_base64_of_another_form_is_named(text: str, said: str) -> None:
    """Each with its section of RFC 4648; what a lenient decoder makes of a picture is still judged."""
    decoded, problem = strict_base64(text)
    assert said in str(problem)
    if len(text) > 200:
        assert decoded == PNG
