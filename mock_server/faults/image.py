"""Faults of the picture itself, and of its base64."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from testcard.mock_server.faults.fault import Fault, Item
from testcard.mock_server.message import Order
from testcard.mock_server.png import chunks, with_chunk, with_text

if TYPE_CHECKING:
    from testcard.mock_server.card import Recipe

_PAGE = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>" * 8


def _coded(encode: Callable[[bytes], str]) -> Callable[[Item, Order], Item]:
    def change(item: Item, _: Order) -> Item:
        if "b64_json" not in item:
            return item
        return item | {"b64_json": encode(base64.b64decode(item["b64_json"]))}

    return change


def _plain(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _url_safe(png: bytes) -> str:
    # Six bytes of ones are slashes whatever their place in the groups of three, so the alphabets do differ.
    return base64.urlsafe_b64encode(with_text(png, b"Comment", b"\xff" * 6)).decode("ascii")


def _unpadded(png: bytes) -> str:
    if len(png) % 3 == 0:
        png = with_text(png, b"Comment", b"")  # 20 bytes more, so that padding is due
    return _plain(png).rstrip("=")


def _loose_bits(png: bytes) -> str:
    """The bits that padding leaves over are ones."""
    while len(png) % 3 != 1:
        png = with_text(png, b"Comment", b"")
    text = _plain(png)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return f"{text[:-3]}{letters[letters.index(text[-3]) | 0b1111]}=="


def _turned(png: bytes, _: None) -> bytes:
    """EXIF whose only tag is an orientation of 6: shown turned by a quarter (CIPA DC-008, section 4.6.4)."""
    return with_chunk(png, b"eXIf", b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0")


def _jpeg(png: bytes) -> str:
    from PIL import Image

    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(out, "JPEG")
    return _plain(out.getvalue())


def _cut_jpeg(png: bytes) -> str:
    """A JPEG whose last third is missing, and which ends as if that were all."""
    jpeg = base64.b64decode(_jpeg(png))
    return _plain(jpeg[: len(jpeg) * 2 // 3].rstrip(b"\xff") + b"\xff\xd9")


def _bad_checksum(png: bytes, _: None) -> bytes:
    """The last byte of the checksum of the last chunk that holds pixels."""
    at = 8
    last = 0
    for kind, data in chunks(png):
        at += 12 + len(data)
        last = at if kind == b"IDAT" else last
    return png[: last - 1] + bytes([png[last - 1] ^ 0xFF]) + png[last:]


def _swapped(recipe: Recipe, _: Order) -> Recipe:
    width, height = recipe.size.split("x")
    return replace(recipe, size=f"{height}x{width}")


def _halved(recipe: Recipe, _: Order) -> Recipe:
    width, height = map(int, recipe.size.split("x"))
    return replace(recipe, size=f"{width // 2}x{height // 2}")


def _identical(recipe: Recipe, _: Order) -> Recipe:
    return replace(recipe, identity=replace(recipe.identity, index=0))


def _cached(recipe: Recipe, _: Order) -> Recipe:
    identity = replace(recipe.identity, request_id="cached", generation=1, prompt_sha256="0" * 64)
    return replace(recipe, identity=identity, caption="cached")


def _row(
    requirement: str,
    name: str,
    describe: str,
    *,
    item: Callable[[Item, Order], Item] | None = None,
    picture: Callable[[bytes, None], bytes] | None = None,
    recipe: Callable[[Recipe, Order], Recipe] | None = None,
) -> Fault:
    return Fault(
        name=name,
        breaks=(f"image.{requirement}",),
        describe=describe,
        item=item,
        picture=picture,
        recipe=recipe,
    )


FAULTS = (
    _row(
        "base64",
        "base64-line-breaks",
        "b64_json has line breaks.",
        item=_coded(lambda png: base64.encodebytes(png).decode("ascii")),
    ),
    _row("base64", "base64-url-safe", "b64_json is in the URL-safe alphabet.", item=_coded(_url_safe)),
    _row("base64", "base64-unpadded", "b64_json lacks its padding.", item=_coded(_unpadded)),
    _row(
        "base64",
        "base64-data-url",
        "b64_json is a data URL.",
        item=_coded(lambda png: f"data:image/png;base64,{_plain(png)}"),
    ),
    _row(
        "base64",
        "base64-twice",
        "b64_json is encoded twice.",
        item=_coded(lambda png: _plain(_plain(png).encode())),
    ),
    _row(
        "base64",
        "base64-loose-bits",
        "b64_json is padded with bits that are not zero.",
        item=_coded(_loose_bits),
    ),
    _row(
        "decodable",
        "picture-truncated",
        "The last third of a picture is missing.",
        picture=lambda png, _: png[: len(png) * 2 // 3],
    ),
    _row(
        "decodable",
        "jpeg-closed-early",
        "b64_json is a JPEG that lacks its last third and is closed by an end marker.",
        item=_coded(_cut_jpeg),
    ),
    _row("decodable", "picture-bad-checksum", "A checksum in a picture is wrong.", picture=_bad_checksum),
    _row("decodable", "picture-is-html", "A picture is an HTML page.", picture=lambda _, __: _PAGE),
    _row("size", "size-swapped", "Width and height of a picture are swapped.", recipe=_swapped),
    _row("size", "size-halved", "A picture has half the width and height.", recipe=_halved),
    _row("size", "size-turned", "The EXIF orientation of a picture turns it by a quarter.", picture=_turned),
    _row("distinct", "pictures-identical", "The pictures of one answer are the same.", recipe=_identical),
    _row("distinct", "pictures-cached", "Every prompt gets the same picture.", recipe=_cached),
    _row("not-blank", "blank", "A picture is all black.", recipe=lambda recipe, _: replace(recipe, blank=True)),
    _row(
        "trailing-bytes",
        "picture-trailing",
        "A picture's file goes on behind its end.",
        picture=lambda png, _: png + b"\r\n--boundary--\r\n",
    ),
    _row(
        "no-internals",
        "metadata-path",
        "A picture's metadata show where it lay on the server.",
        picture=lambda png, _: with_text(png, b"Source", b"/home/render/queue/7/out.png"),
    ),
    _row(
        "no-internals",
        "metadata-key",
        "A picture's metadata hold the key of an upstream service.",
        picture=lambda png, _: with_text(png, b"parameters", b"upstream: sk-upstream-0123456789abcdef"),
    ),
    _row("one-format", "base64-jpeg", "b64_json is a JPEG, a url gives a PNG.", item=_coded(_jpeg)),
)
