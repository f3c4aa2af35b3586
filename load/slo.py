"""SLOs as people write them: `p95<=1s`."""

from __future__ import annotations

import re

from testcard.core.errors import UsageError
from testcard.core.quantity import duration_s
from testcard.core.summary import Bound
from testcard.core.target import Slo

_SLO = re.compile(r"\s*p(\d{1,2}(?:\.\d+)?)\s*(?:<=|≤|<)\s*(\d[\d.]*\s*[a-z]*)\s*")


def parse_slo(text: str) -> Slo:
    """A bound on a latency quantile from `p95<=1s`, `p99.9 < 400ms`.

    Latency is continuous, so `<` and `<=` mean the same. A bare number is seconds.

    Raises:
        UsageError: the text is no such bound.
    """
    match = _SLO.fullmatch(text)
    if match is None:
        raise UsageError(f"--slo {text!r} is not a bound on a latency quantile: write 'p95<=1s' or 'p99.9<=400ms'")
    percent = match[1]
    # Shifting the point in the text keeps p99.9 at 0.999; dividing would make it 0.9990000000000001.
    whole, _, decimals = percent.partition(".")
    quantile = float(f"0.{whole.zfill(2)}{decimals}")
    bound_s = duration_s(match[2])
    if not 0 < quantile < 1 or bound_s <= 0:
        raise UsageError(f"--slo {text!r}: the quantile lies between p0 and p100, the bound above 0")
    return Slo(quantile, bound_s)


def bound_of(slo: Slo, confidence: float | None = None, stage: str | None = None) -> Bound:
    """An SLO as a bound on which there is no verdict yet.

    Args:
        confidence: of one verdict among several; None: the SLO's own.
    """
    name = slo_name(slo) + (f" at {slo.size}" if slo.size else "")
    return Bound(
        name, "inconclusive", slo.quantile, slo.bound_s, slo.confidence if confidence is None else confidence,
        asked=True, samples=0, misses=0, size=slo.size, stage=stage,
    )  # fmt: skip


def slo_name(slo: Slo) -> str:
    """The bound as it is written: `p95<=1s`."""
    percent = f"{slo.quantile * 100:.6f}".rstrip("0").rstrip(".")
    bound = f"{slo.bound_s * 1000:g}ms" if slo.bound_s < 1 else f"{slo.bound_s:g}s"
    return f"p{percent}<={bound}"
