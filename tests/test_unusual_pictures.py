"""Pictures of every lawful form: a server that sends them is right, whatever a decoder thinks of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

import wild_picture
from wild_check import examine
from wild_picture import painted, png, saved
from wild_server import Wild

Make = Callable[[int, int], bytes]
PICTURES: dict[str, tuple[str, Make]] = {
    "gray": ("image/png", lambda w, h: png(w, h, "L")),
    "gray with alpha": ("image/png", lambda w, h: png(w, h, "LA")),
    "two colours": ("image/png", lambda w, h: png(w, h, "1")),
    "palette": ("image/png", lambda w, h: png(w, h, "P")),
    "palette with transparency": ("image/png", lambda w, h: png(w, h, "P", transparency=3)),
    "alpha": ("image/png", lambda w, h: png(w, h, "RGBA")),
    "ink in the alpha channel": ("image/png", wild_picture.ink),
    "16-bit gray": ("image/png", wild_picture.gray16),
    "16-bit colour": ("image/png", wild_picture.colour16),
    "interlaced": ("image/png", wild_picture.interlaced),
    "ancillary chunks": ("image/png", wild_picture.annotated),
    "animated PNG": (
        "image/png",
        lambda w, h: saved(painted(w, h), "PNG", save_all=True, append_images=[painted(w, h)], duration=100),
    ),
    "animation that begins with nothing": (
        "image/webp",
        lambda w, h: saved(
            Image.new("RGB", (w, h)), "WEBP", save_all=True, append_images=[painted(w, h)], lossless=True
        ),
    ),
    "JPEG": ("image/jpeg", lambda w, h: saved(painted(w, h), "JPEG", quality=90)),
    "progressive JPEG": ("image/jpeg", lambda w, h: saved(painted(w, h), "JPEG", progressive=True, subsampling=0)),
    "gray JPEG": ("image/jpeg", lambda w, h: saved(painted(w, h, "L"), "JPEG")),
    "CMYK JPEG": ("image/jpeg", lambda w, h: saved(painted(w, h, "CMYK"), "JPEG")),
    "JPEG with EXIF": ("image/jpg", lambda w, h: saved(painted(w, h), "JPEG", exif=wild_picture.exif())),
    "padded JPEG": ("image/jpeg", lambda w, h: saved(painted(w, h), "JPEG") + b"\xff\xff" + bytes(30)),
    "several pictures in a JPEG": (
        "image/jpeg",
        lambda w, h: saved(painted(w, h), "MPO", save_all=True, append_images=[painted(w, h)]),
    ),
    "JPEG that a viewer turns": ("image/jpeg", lambda w, h: saved(painted(h, w), "JPEG", exif=wild_picture.exif(6))),
    "JPEG that a viewer turns around": (
        "image/jpeg",
        lambda w, h: saved(painted(w, h), "JPEG", exif=wild_picture.exif(3)),
    ),
    "lossy WebP": ("image/webp", lambda w, h: saved(painted(w, h), "WEBP", quality=80)),
    "lossless WebP": ("image/webp", lambda w, h: saved(painted(w, h), "WEBP", lossless=True)),
    "WebP with alpha": ("image/webp", lambda w, h: saved(painted(w, h, "RGBA"), "WEBP", exif=wild_picture.exif())),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_lawful_picture_is_accused(name: str) -> None:
    """A picture of this form, labelled as what it is, passes in both representations."""
    label, make = PICTURES[name]

    class Painter(Wild):
        media_type = label
        keys = ("main",)

        def picture(self, width: int, height: int) -> bytes:
            return make(width, height)

    examined = examine(Painter())
    assert examined.unanswered is None
    assert examined.of("fail", "warn") == {}
    shown = {"image.decodable", "image.size", "image.not-blank", "image.base64", "image.distinct", "media.content-type"}
    assert shown <= set(examined.of("pass"))
