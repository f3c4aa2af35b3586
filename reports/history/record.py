"""The history of a target, as `testcard history --json` writes it. Seconds throughout; times are RFC 3339, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testcard.core.record import Jsonable
from testcard.reports.comparison import Change


@dataclass(frozen=True, slots=True)
class QuantilePoint(Jsonable):
    """One quantile of one run's latency: planned to last byte, over the answers with a 2xx."""

    quantile: str
    estimate_s: float
    verdict: str
    """`slower`, `faster` or `same` than every run of the level before it; `first`: there is none; `not-judged`."""
    runs_before: int
    """Of the level, that it was held against: at most 20."""
    lower_s: float | None = None
    """One-sided confidence bounds, 95 % each, as the run states them; None: open."""
    upper_s: float | None = None


@dataclass(frozen=True, slots=True)
class BoundPoint(Jsonable):
    """What one run says of an SLO or a claim."""

    id: str
    kind: str
    """`slo` or `claim`."""
    verdict: str
    asked: bool
    samples: int
    misses: int
    estimate_s: float | None = None
    lower_s: float | None = None
    upper_s: float | None = None


@dataclass(frozen=True, slots=True)
class Entry(Jsonable):
    """One run."""

    run: str
    """Its directory."""
    started_at: str
    testcard: str
    command: str
    verdict: str
    exit_code: int
    headline: str
    ended: str
    counted: bool
    """Whether it is held against others, and others against it."""
    reason: str = ""
    """Why it, or its load, is not."""
    broken: tuple[str, ...] = ()
    """Requirements that fail in it, known failures left out."""
    changes: tuple[Change, ...] = ()
    """Requirements, claims and SLOs that ended otherwise than when they were last decided."""
    validity: str | None = None
    answered: int | None = None
    """Measured arrivals that were answered; None: nothing was loaded."""
    limited: int | None = None
    """Of them with a 429."""
    quantiles: tuple[QuantilePoint, ...] = ()
    bounds: tuple[BoundPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelChange(Jsonable):
    """A lasting change of a quantile, seen in the order of the runs."""

    quantile: str
    verdict: str
    """`slower` or `faster`."""
    run: str
    """The first of the new level."""
    at: str
    shown_by: str
    """The run with which it became certain."""
    shown_at: str
    before_s: float
    """Median of the runs before and of those from then on, when it became certain."""
    after_s: float
    runs_before: int
    runs_after: int


@dataclass(frozen=True, slots=True)
class Budget(Jsonable):
    """The error budget of an SLO, or of a claim that was asked for, over the window."""

    id: str
    kind: str
    quantile: float
    bound_s: float
    confidence: float
    runs: int
    """Counted runs of the window that were judged by it."""
    kept: int
    refuted: int
    inconclusive: int
    samples: int
    """Arrivals of these runs."""
    misses: int
    """Of them late, or without a good answer."""
    allowed: float
    """Misses that the SLO allows of so many."""
    left_share: float
    """Of the budget what is left: 1 - misses / allowed; below 0 it is overspent."""
    share_lower: float
    """One-sided confidence bounds of the true share of misses."""
    share_upper: float
    dispersion: float
    """By how much more the runs differ than independent arrivals would: 1, or more. The bounds allow for it."""
    verdict: str
    """`kept`, `refuted` or `inconclusive`, of all the runs together."""
    size: str | None = None


@dataclass(frozen=True, slots=True)
class Track(Jsonable):
    """The runs of one kind against one target, the oldest first."""

    name: str
    base_url: str
    model: str
    dialect: str
    load: dict[str, Any] | None
    """What the loads have in common: scenario, arrivals_process, size, mix, loop, clients, think_s, rates_per_s.
    None: conformance only."""
    entries: tuple[Entry, ...]
    changes: tuple[LevelChange, ...] = ()
    budgets: tuple[Budget, ...] = ()
    regressions: tuple[str, ...] = ()
    """What the newest run brought that is worse, a sentence each."""
    notes: tuple[str, ...] = ()
    """What the runs cannot show, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        return Jsonable.to_json(self) | {"load": self.load}


@dataclass(frozen=True, slots=True)
class LeftOut(Jsonable):
    """A directory that is not part of the history."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class History(Jsonable):
    """What `testcard history` found."""

    testcard: str
    made_at: str
    window_s: float
    """Of error budgets, back from `made_at`."""
    regressed: bool
    tracks: tuple[Track, ...]
    left_out: tuple[LeftOut, ...] = ()
    since_s: float | None = None
    """Runs of the last so many seconds were looked at; None: all."""
    format: int = 1
