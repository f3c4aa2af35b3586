"""The measured arrivals of a load run as bounded series, ready to be drawn.

Rule 1: records are streamed; what is kept of each is five numbers.
Rule 2: what is drawn is bounded whatever the length of the run: order statistics at chosen quantiles,
bins of time, and a sample of points that keeps the slowest of each bin.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.record import Record
from testcard.core.screen import Shown, came_s, pieces

GOOD = ("valid", "invalid")
"""Outcomes of answers with a 2xx: those that latency is measured over."""
VALID = "valid"
"""The outcome that a client waited for; to claims and SLOs any other arrival is infinitely late."""
_MOST_BINS = 40
_MOST_POINTS = 900
_MOST_AGES = 600
_BIN_WIDTHS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
_ARRIVALS_PER_BIN = 20  # fewer say little about a p95
_STANDARD = (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
_OUTCOMES = tuple(LOAD_OUTCOMES)


@dataclass(frozen=True, slots=True)
class Bin:
    """What was planned in one stretch of the run. Rates are per second."""

    start_s: float
    """From the first measured arrival."""
    width_s: float
    offered_per_s: float
    achieved_per_s: float
    """Answers that were complete in this stretch, whenever they were planned."""
    outcomes: dict[str, int]
    p50_s: float | None
    p95_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """Order statistics of one span, ascending in the quantile."""

    samples: int
    points: tuple[tuple[float, float], ...]
    """(quantile, seconds)"""


class LoadSeries:
    """Adds up measured records; the series can be taken when all have been added."""

    def __init__(self, *, typed: bool = False) -> None:
        self._typed = typed
        self._planned = array("d")
        self._ended = array("d")  # NaN: no complete answer
        self._latency = array("d")  # NaN: no answer with a 2xx
        self._seen = array("d")  # the same to the last picture's last byte, where pictures came as URLs
        self._outcome = array("B")
        self._shown: list[Shown] = []
        self._first_prompt: float | None = None

    def add(self, record: Record) -> None:
        """Count one record; those of other phases are ignored."""
        if record.phase not in ("warmup", "measured") or record.outcome not in LOAD_OUTCOMES:
            return
        if self._typed:
            self._add_prompt(record)
        if record.phase != "measured":
            return
        ended = record.last_byte_s if record.last_byte_s is not None else math.nan
        good = record.outcome in GOOD
        self._planned.append(record.planned_s)
        self._ended.append(ended)
        self._latency.append(ended - record.planned_s if good else math.nan)
        self._seen.append(record.media_s - record.planned_s if good and record.media_s is not None else math.nan)
        self._outcome.append(_OUTCOMES.index(record.outcome))

    def _add_prompt(self, record: Record) -> None:
        first, seen = self._first_prompt, came_s(record)
        self._first_prompt = record.planned_s if first is None else min(first, record.planned_s)
        if seen is not None:
            self._shown.append(Shown(record.planned_s, seen))

    def ages(self) -> tuple[tuple[float, float], ...]:
        """(seconds since the first measured prompt, age of the picture on the screen): a line that rises while a
        picture stands there and falls when a newer one comes. At most 600 points: of each stretch the oldest.
        """
        if not self._typed or self._first_prompt is None or not self._planned:
            return ()
        start = self.start_s
        line = []
        for piece in pieces(self._shown, self._first_prompt, start, start + self.duration_s):
            line.append((piece.begin_s - start, piece.begin_s - piece.typed_s))
            line.append((piece.end_s - start, piece.end_s - piece.typed_s))
        step = math.ceil(len(line) / _MOST_AGES)
        if step == 1:
            return tuple(line)
        return tuple(max(line[place : place + step], key=lambda point: point[1]) for place in range(0, len(line), step))

    def __len__(self) -> int:
        return len(self._planned)

    @property
    def start_s(self) -> float:
        """When the first measured arrival was planned, on the run's clock."""
        return min(self._planned, default=0.0)

    @property
    def duration_s(self) -> float:
        """From the first measured arrival planned to the last one planned."""
        return max(self._planned, default=0.0) - self.start_s

    def curves(self) -> dict[str, Curve]:
        """The percentile curves by span: `latency_s`, and `media_s` to the last picture. Where some arrivals
        had no valid answer also `every_s` and `every_media_s`, over every arrival, with those infinitely late.
        Curves without samples are left out.
        """
        valid = _OUTCOMES.index(VALID)
        every_one = len(self) - self._outcome.count(_OUTCOMES.index("cancelled"))  # whom nobody waited for is not late
        found = {}
        for name, every, spans in (("latency_s", "every_s", self._latency), ("media_s", "every_media_s", self._seen)):
            good = sorted(span for span in spans if not math.isnan(span))
            pairs = zip(spans, self._outcome, strict=True)
            wanted = sorted(span for span, outcome in pairs if outcome == valid and not math.isnan(span))
            found[name] = _curve(good, len(good))
            if len(wanted) < every_one:
                found[every] = _curve(wanted, every_one)
        return {name: curve for name, curve in found.items() if curve.points}

    def bins(self) -> tuple[Bin, ...]:
        """The run in stretches of equal length, about 40 at most; the last one ends with the last arrival."""
        if not self._planned:
            return ()
        start, duration, width = self.start_s, self.duration_s, self._width_s()
        count = max(1, round(duration / width))  # the last one is between half and one and a half as long
        latencies: list[list[float]] = [[] for _ in range(count)]
        outcomes: list[Counter[str]] = [Counter() for _ in range(count)]
        ended: Counter[int] = Counter()
        for planned, end, latency, code in zip(self._planned, self._ended, self._latency, self._outcome, strict=True):
            place = min(int((planned - start) / width), count - 1)
            outcomes[place][_OUTCOMES[code]] += 1
            if not math.isnan(latency):
                latencies[place].append(latency)
            if end - start <= duration:  # false for NaN
                ended[min(int((end - start) / width), count - 1)] += 1
        last = duration - (count - 1) * width or width
        return tuple(
            _bin(place * width, last if place == count - 1 else width, latencies[place], outcomes[place], ended[place])
            for place in range(count)
        )

    def _width_s(self) -> float:
        fewest = max(self.duration_s / _MOST_BINS, _ARRIVALS_PER_BIN * self.duration_s / len(self))
        return next((width for width in _BIN_WIDTHS_S if width >= fewest), max(fewest, 1.0))

    def points(self) -> tuple[tuple[float, float], ...]:
        """(seconds since the first arrival, latency in seconds), at most 900: the slowest of each of 300
        stretches, and every k-th of the others.
        """
        start = self.start_s
        good = [
            (planned - start, latency)
            for planned, latency in zip(self._planned, self._latency, strict=True)
            if not math.isnan(latency)
        ]
        if len(good) <= _MOST_POINTS:
            return tuple(sorted(good))
        stretch = self.duration_s / (_MOST_POINTS // 3) or 1.0
        slowest: dict[int, tuple[float, float]] = {}
        for point in good:
            place = min(int(point[0] / stretch), _MOST_POINTS // 3 - 1)
            if place not in slowest or point[1] > slowest[place][1]:
                slowest[place] = point
        step = math.ceil(len(good) / (_MOST_POINTS - len(slowest)))
        return tuple(sorted({*slowest.values(), *good[::step]}))


def _bin(start: float, width: float, latencies: list[float], outcomes: Counter[str], ended: int) -> Bin:
    latencies.sort()
    return Bin(
        start_s=start,
        width_s=width,
        offered_per_s=outcomes.total() / width,
        achieved_per_s=ended / width,
        outcomes={name: outcomes[name] for name in _OUTCOMES if outcomes[name]},
        p50_s=quantile(latencies, 0.5),
        p95_s=quantile(latencies, 0.95),
        max_s=latencies[-1] if latencies else None,
    )


def quantile(ascending: Sequence[float], q: float) -> float | None:
    """The order statistic of rank ⌈q·n⌉, or None where there are no samples."""
    return ascending[_rank(q, len(ascending)) - 1] if ascending else None


def _rank(q: float, samples: int) -> int:
    return min(max(math.ceil(q * samples - 1e-9), 1), samples)


def _curve(ascending: Sequence[float], samples: int) -> Curve:
    """The quantiles of `samples` arrivals, of which only those in `ascending` ever ended well."""
    if not ascending:
        return Curve(samples, ())
    ranked = ((q, _rank(q, samples)) for q in _quantiles(samples))
    return Curve(samples, tuple((q, ascending[rank - 1]) for q, rank in ranked if rank <= len(ascending)))


def _quantiles(samples: int) -> Iterator[float]:
    """From the fastest sample to the slowest, evenly on the scale 1/(1 - q), and the usual ones."""
    last = math.log10(2 * samples)  # where the order statistic of rank ⌈q·n⌉ is surely the slowest
    even = (1 - 10 ** -(last * step / 48) for step in range(49))
    yield from sorted({*even, *(q for q in _STANDARD if q <= 1 - 1 / samples)})
