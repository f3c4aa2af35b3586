"""Adds up measured arrivals: of a whole load, of one stage, of one size."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Mapping, Sequence

from testcard.core.loadpart import Interval
from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.quantile import REPORTED, interval, quantiles
from testcard.core.record import Record

ANSWERED = ("valid", "invalid", "limited", "refused", "server-error", "timeout", "broken")
GOOD = ("valid", "invalid")
"""Outcomes of answers with a 2xx: those that latency is measured over."""


_STARVED = tuple(
    f"connect: [Errno {number}]"
    for number in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
)
"""Failures that are this machine's: no open file, port or memory was left for one more connection."""


class Tally:
    """Counts and spans; seconds, as eight bytes each."""

    def __init__(self) -> None:
        self.count = dict.fromkeys(LOAD_OUTCOMES, 0)
        self.latency = array("d")
        self.service = array("d")
        self.first_byte = array("d")
        self.media = array("d")
        self.lag = array("d")
        self.starved = 0
        """Arrivals for whose connection this machine had nothing left."""
        self._first_planned: float | None = None
        self._last_sent: float | None = None

    def add(self, record: Record) -> None:
        """Count one arrival that has an outcome."""
        outcome, planned, sent = record.outcome or "lost", record.planned_s, record.sent_s
        self.count[outcome] = self.count.get(outcome, 0) + 1
        self.starved += outcome == "broken" and (record.failure or "").startswith(_STARVED)
        if self._first_planned is None or planned < self._first_planned:
            self._first_planned = planned
        if sent is None:
            return
        if outcome != "lost":
            self.lag.append(max(0.0, sent - planned))
        if self._last_sent is None or sent > self._last_sent:
            self._last_sent = sent
        if outcome in GOOD and record.last_byte_s is not None:
            self.latency.append(record.last_byte_s - planned)
            self.service.append(record.last_byte_s - sent)
            if record.first_byte_s is not None:
                self.first_byte.append(record.first_byte_s - planned)
            if record.media_s is not None:
                self.media.append(record.media_s - planned)

    @property
    def sent(self) -> int:
        """Arrivals that were sent, and not cancelled by ourselves."""
        return sum(self.count[name] for name in ANSWERED) + self.count["lost"]

    @property
    def arrivals(self) -> dict[str, int]:
        """planned = sent + dropped, sent = answered + lost; cancelled ones are in none of them."""
        count, sent = self.count, self.sent
        return {
            "planned": sent + count["dropped"],
            "sent": sent,
            "dropped": count["dropped"],
            "answered": sent - count["lost"],
            "lost": count["lost"],
        }

    @property
    def outcomes(self) -> dict[str, int]:
        """The answered arrivals."""
        return {name: self.count[name] for name in ANSWERED}

    def offered_per_s(self, duration_s: float) -> float:
        """What was planned, a second; cancelled ones too."""
        return round((self.sent + self.count["dropped"] + self.count["cancelled"]) / duration_s, 4)

    def achieved_per_s(self, duration_s: float) -> float:
        """What was really sent, a second; over more than the duration where the last was sent after it."""
        spent_s = duration_s
        if self._first_planned is not None and self._last_sent is not None:
            spent_s = max(spent_s, self._last_sent - self._first_planned)
        return round((self.sent + self.count["cancelled"]) / spent_s, 4)


CONFIDENCE = 0.95
"""Of each of the two bounds of a quantile."""


def bounded(samples: Sequence[float]) -> dict[str, Interval]:
    """What the reported quantiles can be, to a microsecond; {} where there are no samples."""
    ordered = sorted(samples)
    found = {name: interval(ordered, q, CONFIDENCE) for name, q in REPORTED.items()} if ordered else {}
    return {name: Interval(*(None if s is None else round(s, 6) for s in ends)) for name, ends in found.items()}


def named(samples: Sequence[float]) -> dict[str, float]:
    """The reported quantiles, to a microsecond; {} where there are no samples."""
    return rounded(quantiles(samples))


def rounded(values: Mapping[str, float]) -> dict[str, float]:
    """To a microsecond."""
    return {name: round(value, 6) for name, value in values.items()}
