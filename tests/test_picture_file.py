"""What stands around the pixels of a picture: where its file ends, what turns it, what its metadata tell."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from testcard.conformance.picture import inspect, strict_base64

ORIENTATION, DESCRIPTION = 0x0112, 0x010E


def noise(form: str, size: tuple[int, int] = (24, 16), **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(out, form, **options)
    return out.getvalue()


def tags(**values: object) -> Image.Exif:
    names = {"orientation": ORIENTATION, "description": DESCRIPTION}
    exif = Image.Exif()
    for name, value in values.items():
        exif[names[name]] = value
    return exif


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PNG, JPEG, WEBP = noise("PNG"), noise("JPEG"), noise("WEBP")
MPO = noise("MPO", save_all=True, append_images=[Image.effect_noise((24, 16), 80).convert("RGB")])
XMP = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description GCamera:MotionPhoto="1"/></x:xmpmeta>'
MOTION = JPEG[:2] + segment(0xE1, XMP) + JPEG[2:]
SCAN = JPEG.index(b"\xff\xda")

# A file, and how many bytes behind its end belong to nothing.
ENDS: dict[str, tuple[bytes, int]] = {
    "png": (PNG, 0),
    "jpeg": (JPEG, 0),
    "webp": (WEBP, 0),
    "png with a line break": (PNG + b"\n", 1),
    "png with zeros": (PNG + bytes(8), 8),
    "two pngs": (PNG + PNG, len(PNG)),
    "png with chunks behind the end": (PNG + chunk(b"tEXt", b"a\0b"), 15),
    "jpeg with a page": (JPEG + b"<html></html>", 13),
    "two jpegs": (JPEG + JPEG, len(JPEG)),
    "webp with a page": (WEBP + b"<html></html>", 13),
    # What writers of JPEG do lawfully.
    "jpeg padded with zeros": (JPEG + bytes(100), 0),
    "jpeg padded with fill bytes": (JPEG + b"\xff\xff\xff", 0),
    "fill bytes before a marker": (JPEG[:SCAN] + b"\xff\xff" + JPEG[SCAN:], 0),
    "several pictures (MPF)": (MPO, 0),
    "a motion photo": (MOTION + b"\0\0\0\x18ftypmp42" + b"film" * 50, 0),
    "comment with an end marker": (JPEG[:2] + segment(0xFE, b"\xff\xd9") + JPEG[2:], 0),
}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_file_is_found(name: str, full: bool) -> None:
    """A whole picture is one whatever follows it, and what follows is counted unless the format allows it."""
    data, behind = ENDS[name]
    found = inspect(data, full=full)
    assert (found.problem, found.trailing_bytes) == (None, behind)


def test_a_thumbnail_does_not_end_a_picture() -> None:
    """A JPEG that is cut in its scan is truncated, though a small one in its EXIF is whole."""
    thumbnail = noise("JPEG", (8, 8))
    exif = segment(0xE1, b"Exif\0\0" + tags(description="x").tobytes() + thumbnail)
    data = JPEG[:2] + exif + JPEG[2:]
    assert inspect(data, full=False).problem is None
    assert "truncated" in str(inspect(data[:-20], full=False).problem)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(10))
def test_an_orientation_turns_or_does_not(form: str, orientation: int) -> None:
    """5 to 8 exchange width and height (CIPA DC-008, section 4.6.4); the stored ones are told all the same."""
    found = inspect(noise(form, exif=tags(orientation=orientation)))
    assert found.problem is None
    assert found.shown_px == ((16, 24) if orientation in (5, 6, 7, 8) else (24, 16))
    assert (found.picture.width_px, found.picture.height_px) == (24, 16)


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"nonsense", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_exif_breaks_no_picture(exif: bytes) -> None:
    """EXIF that cannot be read turns nothing, and is nobody's defect here."""
    found = inspect(JPEG[:2] + segment(0xE1, b"Exif\0\0" + exif) + JPEG[2:])
    assert (found.problem, found.turned, found.leak) == (None, False, None)


def described(text: str, *, compressed: bool = False, late: bool = False) -> bytes:
    notes = PngInfo()
    notes.add_text("parameters", text, zip=compressed)
    if not late:
        return noise("PNG", pnginfo=notes)
    return PNG[:-12] + chunk(b"tEXt", b"parameters\0" + text.encode()) + PNG[-12:]


PATH = "/home/render/out/1.png"
SHOWN = {
    "text": described(PATH),
    "compressed text": described(f"saved to {PATH}", compressed=True),
    "text behind the pixels": described(PATH, late=True),
    "exif": noise("JPEG", exif=tags(description=PATH)),
    "exif of a png": noise("PNG", exif=tags(description=PATH)),
    "exif of a webp": noise("WEBP", exif=tags(description=PATH)),
    "xmp": noise("WEBP", xmp=b"<x:xmpmeta><a>file:///srv/models/a.safetensors</a></x:xmpmeta>"),
    "a comment": noise("JPEG", comment=b"by /opt/comfy/main.py"),
    "a key": described("api_key=sk-0123456789abcdefghij"),
    "a drive": described("C:\\Users\\render\\out.png"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_metadata_tell_of_a_server_is_found(name: str) -> None:
    """In every place where a format keeps text; a quick look has no time for it."""
    assert inspect(SHOWN[name]).leak


HARMLESS = {
    "a prompt": described("a cat in /its/basket, and/or a dog; 16/9; https://example.com/home/cat"),
    "settings": described("Steps: 4, Sampler: Euler a, CFG scale: 1/2, Model: flux-2-klein/4b, Size: 1024x768"),
    "software": noise("JPEG", exif=tags(description="made by https://example.com/tmp/page")),
    "a colour profile": noise("PNG", icc_profile=b"/usr/share/color/icc/sRGB.icc" * 9),
    "xmp": noise("WEBP", xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/ns#"/>'),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_metadata_may_tell_is_left_alone(name: str) -> None:
    """Prompts, settings, links and profiles name no folder of a server."""
    assert inspect(HARMLESS[name]).leak is None


def test_an_animation_may_begin_with_nothing() -> None:
    """A first frame of one colour makes no picture blank that has others."""
    out = io.BytesIO()
    noisy = Image.effect_noise((24, 16), 80).convert("RGB")
    Image.new("RGB", (24, 16)).save(out, "PNG", save_all=True, append_images=[noisy])
    assert inspect(out.getvalue()).blank is False


@pytest.mark.parametrize("data", [b"a", b"ab", b"abcd", bytes(range(100)), PNG])
def test_padding_stands_for_zeros(data: bytes) -> None:
    """Each last character whose spare bits are not zero is refused, and only those (RFC 4648, section 3.5)."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = base64.b64encode(data).decode()
    body, padding = text.rstrip("="), text.count("=", -2)
    spare = {0: 1, 1: 4, 2: 16}[padding]
    first = letters.index(body[-1]) // spare * spare
    for index in range(first, first + spare):
        decoded, problem = strict_base64(body[:-1] + letters[index] + "=" * padding)
        assert decoded == data
        assert (problem is None) == (index == first)
        assert problem is None or "3.5" in problem
