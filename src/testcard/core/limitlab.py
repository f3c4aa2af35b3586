"""What the scenario `limit` found out about the limit of a key. Seconds throughout."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class LimiterFigures(Jsonable):
    """The limiter that explains the answers, from their times and statuses alone."""

    kind: str
    """A kind of docs/limits.md, `no-limit-seen` or `unexplained`."""
    confidence: float
    """That the kind is right."""
    sentence: str
    alternatives: tuple[str, ...] = ()
    """Other kinds that the answers do not rule out."""
    limit: float | None = None
    """Requests in a window; of a bucket, what it refills in the declared window."""
    limit_confidence: float | None = None
    """That the truth lies within 5 %, if the kind is right."""
    window_s: float | None = None
    """The length of its window, or of an interval refill's interval."""
    window_confidence: float | None = None
    """As of the limit."""
    burst: float | None = None
    """Requests that pass at once after a pause, where that is a figure of its own."""
    burst_confidence: float | None = None
    """As of the limit."""
    at_least: int = 0
    """Requests that passed while it was identified."""


@dataclass(frozen=True, slots=True)
class RetryAfterFigures(Jsonable):
    """What the refusals said about when to come back."""

    verdict: str
    """`honest`, `early`, `late`, `missing` or `unrelated`; `not-judged` where no limiter fits or refuses."""
    refusals: int
    with_header: int
    """Refusals with a Retry-After that can be read."""
    forms: dict[str, int]
    """How often which form came: `seconds`, `date`, `unreadable`, `missing`."""
    kept_share: float | None = None
    """Promises that hold beside the identified limiter, as far as whole seconds tell."""
    ratio: float | None = None
    """Promised over true waits."""
    error_s: float | None = None
    """Promised minus true wait, the median."""
    spread_s: float | None = None
    """From the 10th to the 90th percentile of that difference."""
    worst_s: float | None = None
    """The difference that is largest in either direction."""
    reset_disagrees: int | None = None
    """Refusals whose x-ratelimit-reset is more than 1 s before Retry-After; absent without that header."""


@dataclass(frozen=True, slots=True)
class PromiseFigures(Jsonable):
    """One refusal's promise: when it came, what it said, how long the wait would have been."""

    at_s: float
    promised_s: float
    wait_s: float
    """Until the next admission of the identified limiter."""


@dataclass(frozen=True, slots=True)
class WaitFigures(Jsonable):
    """One wait that was kept: a probe half way through it, or none, and one a second after its end."""

    promised_s: float
    half_way: str
    """`refused`, `admitted`, or `not-asked`."""
    after: str
    """`admitted` or `refused`."""


@dataclass(frozen=True, slots=True)
class ClientFigures(Jsonable):
    """What a client library makes of a wait like those that came."""

    policy: str
    reads: str
    """What it does when it is told to wait as long as the median refusal says."""
    source: str


@dataclass(frozen=True, slots=True)
class AdmissionFigures(Jsonable):
    """What really passed."""

    declared: str
    most_in_window: int
    """The most requests that passed within the declared window."""
    most_at_once: int
    """The most that passed within a tenth of it."""
    refused_bodies_count: bool | None = None
    """Whether requests that are refused for their body use up the limit."""
    refusals_count: bool | None = None
    """Whether refused requests use up the limit; absent where the answers do not tell."""
    refusal_s: float | None = None
    """How long a refusal takes, the median."""
    refusal_max_s: float | None = None
    """The longest."""
    admitted_s: float | None = None
    """How long an admitted request takes, the median."""


@dataclass(frozen=True, slots=True)
class LimitEvent(Jsonable):
    """One request on the timeline."""

    at_s: float
    """From the first request of the scenario."""
    admitted: bool
    promised_s: float | None = None
    """What a refusal promised, from then."""


@dataclass(frozen=True, slots=True)
class LimitSummary(Jsonable):
    """The limit of a key, beside what is declared."""

    key: str
    limiter: LimiterFigures
    retry_after: RetryAfterFigures
    admission: AdmissionFigures
    scope: str
    """`per-key`, `shared`, or `not-tested`."""
    requests: int
    span_s: float
    """From the first request to the last."""
    waits: tuple[WaitFigures, ...] = ()
    """Waits that were kept on purpose."""
    clients: tuple[ClientFigures, ...] = ()
    promises: tuple[PromiseFigures, ...] = ()
    timeline: tuple[LimitEvent, ...] = ()
    notes: tuple[str, ...] = ()
