"""Error budgets: how many late arrivals an SLO allows over the window, and how many of them are spent.

In the terms of the SRE workbook (https://sre.google/workbook/implementing-slos/): an SLO of 95 % leaves an error budget
of 5 % of the arrivals, and each arrival that is late or without a good answer spends of it. The arrivals are those that
testcard sent, in every run of the window that counts.

The bounds of the true share are exact for independent arrivals (core/share.py). Arrivals of one run are less than
that: those that were late together count for fewer, as the run says; and where runs differ by more than chance, all
count for fewer by the Pearson dispersion (McCullagh and Nelder, Generalized Linear Models, 2nd edition, section 4.5).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from testcard.core.share import share_at_least, share_at_most
from testcard.core.summary import Bound, LoadSummary
from testcard.reports.history.record import Budget

Key = tuple[str, str, float, float, float, str | None, str]


def budgets(loads: Sequence[LoadSummary]) -> tuple[Budget, ...]:
    """The budget of each SLO, and of each claim that one of the loads was asked for."""
    judged: dict[Key, list[Bound]] = {}
    for load in loads:
        for key, bound in _bounds(load):
            judged.setdefault(key, []).append(bound)
    asked = {key: bounds for key, bounds in judged.items() if any(bound.asked for bound in bounds)}
    return tuple(found for key, bounds in asked.items() if (found := _budget(key, bounds)) is not None)


def _bounds(load: LoadSummary) -> Iterator[tuple[Key, Bound]]:
    for kind, bounds in (("slo", load.slos), ("claim", load.claims)):
        for bound in bounds:
            # A glance at a screen is no arrival, and of a bound that was judged by stages only the worst is told.
            if bound.samples_of == "arrivals" and bound.stage is None:
                yield (kind, bound.id, bound.quantile, bound.bound_s, bound.confidence, bound.size, bound.span), bound


def _budget(key: Key, bounds: Iterable[Bound]) -> Budget | None:
    kind, name, q, bound_s, confidence, size, _ = key
    sampled = [bound for bound in bounds if bound.samples]
    if not sampled:
        return None
    samples, misses = sum(bound.samples for bound in sampled), sum(bound.misses for bound in sampled)
    words = Counter(bound.verdict for bound in sampled)
    allowed = (1 - q) * samples
    worth = [bound.effective_samples or bound.samples for bound in sampled]
    dispersion = _dispersion([(n, bound.misses * n / bound.samples) for n, bound in zip(worth, sampled, strict=True)])
    n = max(1, math.floor(sum(worth) / dispersion + 1e-9))
    counted = n * misses / samples
    lower = share_at_least(math.floor(counted + 1e-9), n, confidence)
    upper = share_at_most(math.ceil(counted - 1e-9), n, confidence)
    spare = 1e-9  # 1 - 0.95 is 0.050000000000000044 in floating point
    return Budget(
        id=name,
        kind=kind,
        quantile=q,
        bound_s=bound_s,
        confidence=confidence,
        runs=len(sampled),
        kept=words["kept"],
        refuted=words["refuted"],
        inconclusive=words["inconclusive"],
        samples=samples,
        misses=misses,
        allowed=round(allowed, 3),
        left_share=round(1 - misses / allowed, 4),
        share_lower=round(lower, 6),
        share_upper=round(upper, 6),
        dispersion=round(dispersion, 3),
        verdict="kept" if upper <= 1 - q + spare else "refuted" if lower > 1 - q + spare else "inconclusive",
        size=size,
    )


def _dispersion(runs: Sequence[tuple[int, float]]) -> float:
    """How much more the shares of the runs, (arrivals, misses) each, differ than chance lets them; at least 1."""
    total, misses = sum(n for n, _ in runs), sum(m for _, m in runs)
    share = misses / total
    if len(runs) < 2 or not 0 < share < 1:
        return 1.0
    off = sum((m - n * share) ** 2 / (n * share * (1 - share)) for n, m in runs)
    return max(1.0, off / (len(runs) - 1))
