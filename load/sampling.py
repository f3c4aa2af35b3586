"""Which pictures of a load are decoded to the last pixel. Of every one the headers and checksums are verified.

Decoding takes ten times as long as everything else about a picture. So that judging keeps up on one core with what
is received on another, it may take about a tenth of that core: all pictures of a small load, every k-th of a large one.
"""

from __future__ import annotations

import math

from testcard.core.quantity import size_px
from testcard.load.plan import LoadPlan

_CORE_SHARE = 0.1
_DECODE_S = 60e-6
_DECODE_S_PER_PIXEL = 23e-9
"""Measured with benchmarks/load_throughput.py's pictures; a machine that is half as fast spends twice the share."""
_USUAL_PX = 1024 * 1024
"""Where no size is asked for."""


def decoded_every(plan: LoadPlan) -> int:
    """Of arrivals numbered one by one, each whose number this divides has its pictures decoded; 1: all of them."""
    weights = sum(kind.weight for kind in plan.mix)
    each_s = sum(kind.weight / weights * kind.n * _decode_s(kind.size) for kind in plan.mix)
    rate = max((max(stage.rate_per_s, stage.end_rate_per_s) for stage in plan.stages), default=0.0)
    return max(1, math.ceil(each_s * max(rate, plan.rate_per_s) / plan.processes / _CORE_SHARE))


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
