"""Whether late arrivals came singly, as verdicts assume, or together; and how many independent ones they are worth.

A server that stalls is late for all who come meanwhile: a hundred late arrivals are one event, not a hundred. Seen in
the order of arrival:

- test: given how many arrivals are late, the number of runs of late ones has an exact distribution if they are
  independent (Mood, The Distribution Theory of Runs, 1940, section 3; Wald and Wolfowitz 1940); too few runs have a
  chance of at most 0.1 %;
- size: late or not as a chain of two states has at lag k the autocorrelation rho**k, and the mean of n such values the
  variance of n (1 - rho) / (1 + rho) independent ones (Bayley and Hammersley, The "Effective" Number of Independent
  Observations in an Autocorrelated Time Series, 1946).

Where hardly any arrival is over the bound, those over half of it are looked at: what comes near comes together too.
Where nothing comes near, the slowest share 1 - q of all is looked at, only to say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.quantile import quantile
from testcard.load.verdict import INCONCLUSIVE, KEPT, MOST_SAMPLES, REFUTED, Verdict, certifies, further_samples

SIGNIFICANCE = 0.001
_FEWEST = 3  # late arrivals that can show anything
_EXACT = 2_000  # above, the number of runs is as good as normal


@dataclass(frozen=True, slots=True)
class Dependence:
    """Arrivals that were late together."""

    autocorrelation: float
    """Of being late, from one arrival to the next."""
    worth: float
    """Independent arrivals that one of these is worth, at most 1."""
    near: bool
    """Seen at the bound, or at half of it; False: only among arrivals far below."""


def dependence(spans: Sequence[float], *, q: float, bound_s: float) -> Dependence | None:
    """What shows that late arrivals came together, or None where nothing does.

    Args:
        spans: seconds, in the order of arrival; infinite where there was no good answer.
    """
    if len(spans) <= _FEWEST:
        return None
    for level, near in ((bound_s, True), (bound_s / 2, True), (quantile(sorted(spans), q), False)):
        late = [span > level for span in spans]
        if sum(late) >= _FEWEST:
            return _clustered(late, near=near)
    return None


def discount(verdict: Verdict, found: Dependence | None, *, q: float, confidence: float) -> Verdict:
    """The verdict with its arrivals counted for what they are worth.

    A certificate is a promise: it has to hold for that number too. A refutation says what happened, and stands.
    """
    if found is None or not found.near or verdict.word == REFUTED:
        return verdict
    worth = found.worth
    n, misses = math.floor(verdict.samples * worth), math.ceil((verdict.misses + verdict.unknown) * worth)
    if verdict.word == KEPT and certifies(n, misses, q, confidence):
        return verdict
    further = further_samples(n, misses, q, confidence)
    scaled = None if further is None else math.ceil(further / worth)
    return replace(verdict, word=INCONCLUSIVE, further=None if scaled is None or scaled > MOST_SAMPLES else scaled)


def _clustered(late: Sequence[bool], *, near: bool) -> Dependence | None:
    n, m = len(late), sum(late)
    if m == n:
        return None
    runs = sum(1 for index, value in enumerate(late) if value and (index == 0 or not late[index - 1]))
    if _at_most_runs(runs, m, n) > SIGNIFICANCE:
        return None
    after_late = (m - runs) / max(1, m - late[-1])
    after_timely = (runs - late[0]) / max(1, n - m - (not late[-1]))
    rho = min(max(after_late - after_timely, 0.0), 1.0)
    return Dependence(rho, max((1 - rho) / (1 + rho), 1 / n), near)


def _at_most_runs(runs: int, m: int, n: int) -> float:
    """The chance of so few runs of m late arrivals among n, if every order is as likely."""
    if m > _EXACT:
        mean = m * (n - m + 1) / n
        deviation = math.sqrt(m * (m - 1) * (n - m) * (n - m + 1) / (n * n * (n - 1)))
        return 0.5 * math.erfc((mean - runs - 0.5) / (deviation * math.sqrt(2)))
    return min(
        1.0, sum(math.exp(_choose(m - 1, j - 1) + _choose(n - m + 1, j) - _choose(n, m)) for j in range(1, runs + 1))
    )


def _choose(n: int, k: int) -> float:
    """The logarithm of n over k."""
    return -math.inf if k > n else math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
