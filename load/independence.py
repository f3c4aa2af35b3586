"""Whether late arrivals came singly, as verdicts assume, or together in spells; and what a certificate then needs.

A server that stalls is late for all who come meanwhile: a hundred late arrivals are one event, not a hundred. Seen in
the order of arrival:

- spells: late arrivals belong to one spell while the gaps between them are at most half of what they would be if all
  were evenly spread (runs declustering: Smith and Weissman, Estimating the Extremal Index, 1994); so a slow spell is
  one even where some of its arrivals are in time;
- test: given how many arrivals are late, the number of runs of late ones has an exact distribution if they are
  independent (Mood, The Distribution Theory of Runs, 1940, section 3; Wald and Wolfowitz 1940), and the number of their
  spells nearly a binomial one; so few have together a chance of at most 0.1 %;
- certificate: spells and the stretches between them are down and up times of a system whose availability is to be
  shown. If both are exponential, down over up is the ratio of two gamma variables, one for each kind, of as many
  degrees as there were spells, and of one more for the stretch that the end of the run cuts off (Keesee, A Method of
  Determining a Confidence Interval for Availability, 1965, https://apps.dtic.mil/sti/citations/AD0617716; Trivedi,
  Probability and Statistics with Reliability, Queuing and Computer Science Applications, 2nd edition, chapter 10);
- size: late or not as a chain of two states has at lag k the autocorrelation rho**k, and the mean of n such values the
  variance of n (1 - rho) / (1 + rho) independent ones (Bayley and Hammersley, The "Effective" Number of Independent
  Observations in an Autocorrelated Time Series, 1946).

Those over 0.4 of the bound are looked at as well, but at most the slower half: a queue that is long stays long for a
while. Where these come together, what is late while latency never falls below is one spell, and spells are taken to
last as long as these do: in a run that is lucky few are late, and singly. A few long spells among many short ones count
for fewer, as many exponential ones as have the same mean square. Where nothing comes near, the slowest share 1 - q of
all is looked at, only to say so.
A spell that never came in a run cannot be seen in it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testcard.core.quantile import at_most, quantile
from testcard.load.verdict import INCONCLUSIVE, KEPT, REFUTED, Verdict, certifies, fewest_more, refutes

SIGNIFICANCE = 0.001
_FEWEST = 3  # late arrivals that can show anything
_EXACT = 2_000  # above, the number of runs is as good as normal
_CLOSE = 0.5
_NEAR = 0.4
_FEW, _MOST_DEGREES = 1e-9, 10_000


@dataclass(frozen=True, slots=True)
class Dependence:
    """Arrivals that were late together."""

    arrivals: int
    late: int
    """Over the level that was looked at: the bound, or 0.4 of it."""
    spells: int
    """In which these came."""
    over: int
    """Spells with arrivals over the bound itself."""
    autocorrelation: float
    """Of being late, from one arrival to the next."""
    near: bool
    """Seen at the bound, or near it; False: only among arrivals far below."""

    @property
    def worth(self) -> float:
        """Independent arrivals that one of these is worth, at most 1."""
        rho = 1 - self.spells / self.late - self.spells / (self.arrivals - self.late)
        return max((1 - rho) / (1 + rho), 1 / self.arrivals) if rho > 0 else 1.0


def dependence(spans: Sequence[float], *, q: float, bound_s: float) -> Dependence | None:
    """What shows that late arrivals came together, or None where nothing does.

    Args:
        spans: seconds, in the order of arrival; infinite where there was no good answer.
    """
    n = len(spans)
    if n <= _FEWEST:
        return None
    ordered = sorted(spans)
    # Where half of all are near it, that is no spell but how the server is.
    level = min(bound_s, max(_NEAR * bound_s, quantile(ordered, 0.5)))
    over, near = ([span > least for span in spans] for least in (bound_s, level))
    wide = _together(near)
    if wide or _together(over):
        close, apart = _close(over), _spells(near, _close(near)) if wide else {}
        sizes: list[int] = []
        before: int | None = None
        for place in _places(over):
            if before is None or (place - before > close and (not wide or apart[place] != apart[before])):
                sizes.append(0)
            sizes[-1], before = sizes[-1] + 1, place
        spells = _as_exponential(sizes)
        if not wide:
            return Dependence(n, sum(over), spells, spells, _autocorrelation(over), near=True)
        of_near = _as_exponential(list(Counter(apart.values()).values()))
        return Dependence(n, sum(near), of_near, spells, _autocorrelation(near), near=True)
    if sum(near) >= _FEWEST:
        return None
    slowest = [span > quantile(ordered, q) for span in spans]
    if not _together(slowest):
        return None
    spells = len(set(_spells(slowest, _close(slowest)).values()))
    return Dependence(n, sum(slowest), spells, 0, _autocorrelation(slowest), near=False)


def discount(verdict: Verdict, found: Dependence | None, *, q: float, confidence: float) -> Verdict:
    """The verdict with late arrivals counted by the spells in which they came.

    A certificate is a promise: it has to hold for those too. A refutation says what happened, and stands.
    """
    if found is None or not found.near or verdict.word == REFUTED:
        return verdict
    if verdict.word == KEPT and _available(found, 1.0, q, confidence):
        return verdict
    n, missed = verdict.samples, verdict.misses + verdict.unknown

    def decided(total: int) -> bool:
        few, many = math.ceil(missed / n * total - 1e-9), math.floor(verdict.misses / n * total + 1e-9)
        if refutes(total, many, q, confidence):
            return True
        return certifies(total, few, q, confidence) and _available(found, total / n, q, confidence)

    return replace(verdict, word=INCONCLUSIVE, further=fewest_more(n, decided))


def _available(found: Dependence, times: float, q: float, confidence: float) -> bool:
    """Whether so few and so short spells show that a share q is within the bound; seen so many times over.

    The odds of being late are, in the long run, how many spells begin for each timely arrival times how long one is.
    The first is known from `over` spells, as a gamma variable of one degree more; the second from `spells`, as one of
    so many degrees, and more where they are hardly longer than the one arrival that they are at least (a geometric
    length of mean l has the variance l**2 - l). Their ratio is a beta variable, and that, for whole degrees, a binomial
    tail.
    """
    over = math.ceil(found.over * times - 1e-9)
    length = found.late / found.spells
    degrees = max(1, math.floor(min(found.spells * times / max(1 - 1 / length, _FEW), _MOST_DEGREES) + 1e-9))
    allowed = (1 - q) / q * (found.arrivals - found.late) * times / length / degrees
    return at_most(over, over + degrees, allowed / (1 + allowed)) <= 1.0 - confidence


def _as_exponential(sizes: Sequence[int]) -> int:
    """As how many spells of exponential length these tell; fewer than they are where a few make up most of them."""
    squares = sum(size**2 for size in sizes)
    return min(len(sizes), max(1, 2 * sum(sizes) ** 2 // squares)) if squares else 0


def _together(late: Sequence[bool]) -> bool:
    n, m = len(late), sum(late)
    if not _FEWEST <= m < n:
        return False
    runs, close = _count(late, 1), _close(late)
    chance = min(_at_most_runs(runs, m, n), _at_most_spells(_count(late, close), close, m, n))
    return chance <= SIGNIFICANCE / 2


def _autocorrelation(late: Sequence[bool]) -> float:
    n, m, runs = len(late), sum(late), _count(late, 1)
    after_late = (m - runs) / max(1, m - late[-1])
    after_timely = (runs - late[0]) / max(1, n - m - (not late[-1]))
    return min(max(after_late - after_timely, 0.0), 1.0)


def _close(late: Sequence[bool]) -> int:
    """How far apart two late arrivals of one spell are at most."""
    return max(1, math.floor(_CLOSE * len(late) / max(1, sum(late))))


def _places(late: Sequence[bool]) -> list[int]:
    return [place for place, value in enumerate(late) if value]


def _count(late: Sequence[bool], close: int) -> int:
    """How many spells there are; 1: how many runs."""
    places = _places(late)
    return bool(places) + sum(after - before > close for before, after in itertools.pairwise(places))


def _spells(late: Sequence[bool], close: int) -> dict[int, int]:
    """The number of the spell of each late arrival, by its place."""
    found: dict[int, int] = {}
    number, before = 0, None
    for place in _places(late):
        number += before is not None and place - before > close
        found[place], before = number, place
    return found


def _at_most_runs(runs: int, m: int, n: int) -> float:
    """The chance of so few runs of m late arrivals among n, if every order is as likely."""
    if m > _EXACT:
        mean = m * (n - m + 1) / n
        deviation = math.sqrt(m * (m - 1) * (n - m) * (n - m + 1) / (n * n * (n - 1)))
        return 0.5 * math.erfc((mean - runs - 0.5) / (deviation * math.sqrt(2)))
    return min(
        1.0, sum(math.exp(_choose(m - 1, j - 1) + _choose(n - m + 1, j) - _choose(n, m)) for j in range(1, runs + 1))
    )


def _at_most_spells(spells: int, close: int, m: int, n: int) -> float:
    """No less than the chance of so few spells, if every order is as likely.

    A gap is long if as many timely arrivals follow as are close, at each draw with at least the chance below; that some
    gaps are long makes it less likely of others, so the number of long ones spreads less than a binomial.
    """
    if n - m <= close:
        return 1.0
    return at_most(spells - 1, m - 1, ((n - m - close) / (n - close)) ** close)


def _choose(n: int, k: int) -> float:
    """The logarithm of n over k."""
    return -math.inf if k > n else math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
