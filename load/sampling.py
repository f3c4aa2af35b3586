"""Which pictures of a load are decoded to the last pixel. Of every one the headers and checksums are verified.

Decoding takes ten times as long as everything else about a picture. So that judging keeps up on one core with what
is received on another, it may take about a twentieth of that core, and be done twenty times a second at most: to all
pictures of a small load, to every k-th of a large one. Of n decoded pictures that were chosen whatever they hold, at
least one shows what a share p of all has, but for a chance of (1 - p)**n: 300 are enough for 1 % at 95 %.
"""

from __future__ import annotations

import math

from testcard.core.quantity import size_px
from testcard.load.plan import LoadPlan

_CORE_SHARE = 0.05
_MOST_PER_S = 20.0
"""600 in half a minute: what one in 200 has is missed once in twenty times. Of pictures so small that more of them
cost nothing, more would say little."""
_DECODE_S = 40e-6
_DECODE_S_PER_PIXEL = 19e-9
"""Measured with benchmarks/load_throughput.py's pictures; a machine that is half as fast spends twice the share."""
_USUAL_PX = 1024 * 1024
"""Where no size is asked for."""


def decoded_every(plan: LoadPlan) -> int:
    """Of arrivals numbered one by one, each whose number this divides has its pictures decoded; 1: all of them."""
    weights = sum(kind.weight for kind in plan.mix)
    each_s = sum(kind.weight / weights * kind.n * _decode_s(kind.size) for kind in plan.mix)
    rate = max((max(stage.rate_per_s, stage.end_rate_per_s) for stage in plan.stages), default=0.0)
    pictures = sum(kind.weight / weights * kind.n for kind in plan.mix)
    rate = max(rate, plan.rate_per_s)
    by_cost, by_number = each_s * rate / plan.processes / _CORE_SHARE, pictures * rate / _MOST_PER_S
    return max(1, math.ceil(max(by_cost, by_number)))


def sampled(plan: LoadPlan) -> str | None:
    """What to know about it, in a sentence; None where all are decoded."""
    every = decoded_every(plan)
    if every == 1:
        return None
    return f"Every picture was judged by its headers and checksums, and one in {every} decoded to the last pixel."


def _decode_s(size: str | None) -> float:
    sides = size_px(size) if size else None
    pixels = sides[0] * sides[1] if sides else _USUAL_PX
    return _DECODE_S + pixels * _DECODE_S_PER_PIXEL
