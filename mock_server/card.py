"""The picture: a test card with the prompt and the size drawn in.

It must be cheap, since the load generator often runs on the same machine: a palette instead of RGB and the
fastest compression make it about 2 ms for 1024x1024 on one core.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from testcard.mock_server.watermark import Identity, marked

_BLACK, _WHITE, _GREY = 0, 7, 8
_BARS = (7, 6, 3, 2, 5, 4, 1)
"""White, yellow, cyan, green, magenta, red, blue: the order of EBU and SMPTE bars, by falling luminance."""
_REVERSED = (1, 0, 5, 0, 3, 0, 7)
_STEPS = 8
_STAMP_BITS = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that it takes to draw a picture: the same recipe always gives the same bytes."""

    identity: Identity
    size: str
    caption: str
    """The beginning of the prompt."""
    blank: bool = False
    """A single colour in place of the card."""


def draw(recipe: Recipe) -> bytes:
    """A PNG of exactly the recipe's size."""
    width, height = map(int, recipe.size.split("x"))
    if recipe.blank:
        card = Image.new("P", (width, height), _BLACK)
        card.putpalette(_palette())
    else:
        card = _background(width, height).copy()
        _write(card, recipe)
    out = BytesIO()
    card.save(out, "PNG", compress_level=1)
    return marked(out.getvalue(), recipe.identity)


def caption(prompt: str) -> str:
    """As much of a prompt as fits into a picture, on one line and printable."""
    text = "".join(letter if letter.isprintable() else " " for letter in prompt[:400])
    return textwrap.shorten(text, 120, placeholder=" …")


@lru_cache(maxsize=16)
def _background(width: int, height: int) -> Image.Image:
    """Colour bars, their reverse, a grey staircase, and a black band for the text."""
    card = Image.new("P", (width, height), _BLACK)
    card.putpalette(_palette())
    pen = ImageDraw.Draw(card)
    for colours, top, bottom in (
        (_BARS, 0.0, 0.6),
        (_REVERSED, 0.6, 0.66),
        (range(_GREY, _GREY + _STEPS), 0.66, 0.74),
    ):
        for place, colour in enumerate(colours):
            left, right = (width * edge // len(colours) for edge in (place, place + 1))
            pen.rectangle((left, int(height * top), right - 1, int(height * bottom) - 1), fill=colour)
    return card


def _write(card: Image.Image, recipe: Recipe) -> None:
    width, height = card.size
    pen = ImageDraw.Draw(card)
    letter_px = max(8, width // 36)
    mark = recipe.identity
    lines = [*textwrap.wrap(recipe.caption, 56)[:2], f"{recipe.size}   {mark.request_id[:40]} #{mark.index}"]
    for place, line in enumerate(lines):
        pen.text(
            (width // 40, int(height * 0.76 + place * letter_px * 1.3)),
            line,
            fill=_WHITE,
            font=_font(letter_px),
        )
    side = width / _STAMP_BITS
    for bit in range(_STAMP_BITS):
        if mark.stamp >> bit & 1:
            pen.rectangle((int(bit * side), int(height * 0.96), int((bit + 1) * side) - 1, height - 1), fill=_WHITE)


@lru_cache(maxsize=16)
def _font(letter_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(letter_px)


@lru_cache(maxsize=1)
def _palette() -> list[int]:
    """Eight colours by their bits (1 blue, 2 green, 4 red) at 75 %, white full, then greys."""
    level = 191
    colours = [level * (number >> shift & 1) for number in range(7) for shift in (2, 1, 0)] + [255] * 3
    greys = [step * 255 // (_STEPS - 1) for step in range(_STEPS) for _ in range(3)]
    return colours + greys
