"""What arrivals ask for: one kind of request, or several by weight.

On the command line a weighted list stands for each field by itself, `--size 1024x1024=3,512x512=1`; several such
lists are combined, every value of one with every value of the others. A scenario's file says it row by row, `[[mix]]`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.errors import UsageError
from testcard.core.record import Jsonable

Weighted = tuple[tuple[str, float], ...]
"""Values with their weights, in the order in which they were written."""


@dataclass(frozen=True, slots=True)
class Kind(Jsonable):
    """One kind of request, and how often it comes."""

    size: str | None = None
    """None: left out of the request."""
    n: int = 1
    response_format: str | None = None
    """None: left out of the request."""
    weight: float = 1.0
    """How often, relative to the others."""


PLAIN = Kind()
"""One picture, in the target's own size and form."""


def parse_weighted(text: str, option: str) -> Weighted:
    """The values and weights of `A=3,B=1`; `A` alone has the weight 1.

    Raises:
        UsageError: the text is no such list.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        value, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number) if equals else 1.0
        except ValueError:
            weight = 0.0
        if not value or not 0 < weight < float("inf") or value in found:
            raise UsageError(f"{option} {text!r}: write one value, or values with weights, for example A=3,B=1")
        found[value] = weight
    return tuple(found.items())


def mixed(
    rows: Sequence[Kind], *, sizes: Weighted | None, numbers: Weighted | None, formats: Weighted | None
) -> tuple[Kind, ...]:
    """The rows with the fields that options name in the place of their own.

    Raises:
        UsageError: a number is none.
    """
    found: dict[tuple[object, ...], Kind] = {}
    for row in rows:
        own: tuple[tuple[tuple[object, float], ...], ...] = (
            sizes or ((row.size, 1.0),),
            numbers or ((row.n, 1.0),),
            formats or ((row.response_format, 1.0),),
        )
        for (size, by_size), (n, by_n), (form, by_form) in itertools.product(*own):
            weight = row.weight * by_size * by_n * by_form
            kind = Kind(_text(size), _number(n), _text(form), weight)
            key = (kind.size, kind.n, kind.response_format)
            alike = found.get(key)
            found[key] = kind if alike is None else replace(kind, weight=alike.weight + weight)
    return tuple(found.values())


def apportioned(mix: Sequence[Kind], count: int) -> list[int]:
    """How many of `count` arrivals are of each kind: in proportion to the weights, largest remainders rounded up."""
    total = sum(kind.weight for kind in mix)
    exact = [count * kind.weight / total for kind in mix]
    found = [int(share) for share in exact]
    by_rest = sorted(range(len(mix)), key=lambda index: found[index] - exact[index])
    for index in by_rest[: count - sum(found)]:
        found[index] += 1
    return found


def assigned(mix: Sequence[Kind], count: int, seed: str) -> list[Kind]:
    """The kind of each of `count` arrivals, in an order from the seed."""
    if len(mix) == 1:
        return [mix[0]] * count
    kinds = [kind for kind, number in zip(mix, apportioned(mix, count), strict=True) for _ in range(number)]
    random.Random(f"{seed} mix").shuffle(kinds)
    return kinds


def told(mix: Sequence[Kind]) -> str:
    """The mix in a few words: `1024x1024 n 1 url 75 %, 512x512 n 1 url 25 %`."""
    total = sum(kind.weight for kind in mix)
    words = []
    for kind in mix:
        parts = [kind.size, f"n {kind.n}" if kind.n != 1 else None, kind.response_format]
        share = f"{kind.weight / total:.0%}" if len(mix) > 1 else None
        words.append(" ".join(part for part in (*parts, share) if part) or "the target's defaults")
    return ", ".join(words)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise UsageError(f"--n {value}: not a whole number") from None
