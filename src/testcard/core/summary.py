"""summary.json: the verdict of a run and what it rests on. Written once, read by every renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testcard.core.behaviour import Behaviour
from testcard.core.capacity import CapacityFigures
from testcard.core.certificate import Certificate
from testcard.core.crowd import CrowdSummary
from testcard.core.document import read_document, write_document
from testcard.core.limitlab import LimitSummary
from testcard.core.loadpart import Interval, PreviewFigures, SizeFigures, StageFigures
from testcard.core.record import Jsonable
from testcard.core.servertiming import ServerTiming

NAME = "summary.json"


@dataclass(frozen=True, slots=True)
class RequirementResult(Jsonable):
    """One requirement of the catalogue and how it ended."""

    id: str
    level: str
    """`MUST` or `SHOULD`."""
    outcome: str
    known: bool
    """A failure that the target's file accepts until a date."""
    statement: str
    source: str
    expected: str = ""
    actual: str = ""
    evidence: tuple[str, ...] = field(default_factory=tuple)  # written even where it is empty
    """`record 17`."""
    reproduce: str = ""
    """A curl line; keys stand in it as environment variables. Empty where nothing is broken."""
    reason: str | None = None
    """Why it was not judged, or is not applicable; where known: why it is accepted, and until when."""


@dataclass(frozen=True, slots=True)
class Cost(Jsonable):
    """What the run spent. Requests include repetitions; media fetches are apart."""

    requests: int
    images: int
    media_fetches: int
    usd: float | None = None
    """None where the target names no price."""

    def to_json(self) -> dict[str, Any]:
        return {**Jsonable.to_json(self), "usd": self.usd}  # an unknown price is told as null


@dataclass(frozen=True, slots=True)
class Bound(Jsonable):
    """A claim or an SLO: a bound on a quantile of latency, and the verdict on it."""

    id: str
    verdict: str
    """`kept`, `refuted` or `inconclusive`."""
    quantile: float
    bound_s: float
    confidence: float
    asked: bool
    """Whether the verdict of the run depends on it."""
    samples: int
    misses: int
    """Arrivals over the bound; one without a good answer counts as infinitely late."""
    samples_of: str = "arrivals"
    """What the samples are: `arrivals`, or `glances` at a screen."""
    span: str = "planned to last byte"
    size: str | None = None
    stage: str | None = None
    """Where stages are judged apart, or only some: the one that these figures and the verdict come from, the worst."""
    estimate_s: float | None = None
    """The sample quantile; None where it falls among arrivals without a good answer."""
    lower_s: float | None = None
    upper_s: float | None = None
    """One-sided distribution-free confidence bounds; None: open."""
    autocorrelation: float | None = None
    """Of being late, from one arrival to the next, where late arrivals came together; None: nothing shows that."""
    effective_samples: int | None = None
    """Independent arrivals that the samples are worth then."""
    statement: str = ""
    source: str = ""
    advice: str = ""
    """What would decide an inconclusive one: samples, minutes, money."""

    def to_json(self) -> dict[str, Any]:
        open_ends = {"estimate_s": self.estimate_s, "lower_s": self.lower_s, "upper_s": self.upper_s}
        return Jsonable.to_json(self) | open_ends  # an open end is told as null


@dataclass(frozen=True, slots=True)
class LoadSummary(Jsonable):
    """What a load run measured. Seconds throughout."""

    scenario: str
    validity: str
    """`ok`, `generator-late` or `generator-busy`."""
    arrivals: dict[str, int]
    """planned = sent + dropped, sent = answered + lost."""
    offered_rate_per_s: float
    achieved_rate_per_s: float
    duration_s: float
    latency_s: dict[str, float]
    """Planned send to last byte, arrivals that a 2xx answered: p50, p90, p95, p99, p99.9, max."""
    service_s: dict[str, float]
    """Actual send to last byte."""
    outcomes: dict[str, int]
    claims: tuple[Bound, ...] = field(default_factory=tuple)  # both are written even where they are empty
    slos: tuple[Bound, ...] = field(default_factory=tuple)
    latency_bounds_s: dict[str, Interval] | None = None
    """What the quantiles of `latency_s` can be, by their names."""
    media_s: dict[str, float] | None = None
    """Planned send to the last picture's last byte, where pictures came as URLs."""
    first_byte_s: dict[str, float] | None = None
    server_timing: ServerTiming | None = None
    """What the server says of its own time, where it says anything."""
    dispatch_lag_s: dict[str, float] | None = None
    """How late the generator itself sent: p50, p99, max."""
    warmup: int = 0
    """Arrivals before the measured phase; in no other figure."""
    arrivals_process: str = "poisson"
    size: str | None = None
    processes: int = 1
    crowd: CrowdSummary | None = None
    """What became of crowds, where the scenario sends them."""
    limit: LimitSummary | None = None
    """What was found out about a key's limit, where the scenario drives it over."""
    loop: str = "open"
    """`open`; `closed`: clients waited for their answers; `replace`: each prompt replaced the one in flight;
    `crowd`: clients who were refused asked again."""
    clients: int | None = None
    """Of a closed loop."""
    think_s: float | None = None
    """Of a closed loop: from an answer to the same client's next request."""
    mix: str | None = None
    """What arrivals asked for, with the shares, where they did not all ask for the same."""
    stages: tuple[StageFigures, ...] = ()
    """Of the measured phase."""
    by_size: tuple[SizeFigures, ...] = ()
    """Where several sizes were asked for."""
    capacity: CapacityFigures | None = None
    """Of a search for the highest rate at which the SLOs hold."""
    behaviour: Behaviour | None = None
    """What shows of the server's inside, and of ourselves."""
    certificate: Certificate | None = None
    """On the bundled mock: what was measured beside what it knows."""
    preview: PreviewFigures | None = None
    notes: tuple[str, ...] = ()
    """Whatever a reader must know before trusting the figures, a sentence each."""


@dataclass(frozen=True, slots=True)
class Summary(Jsonable):
    """The whole of summary.json."""

    testcard: str
    command: str
    verdict: str
    exit_code: int
    target: dict[str, Any]
    started_at: str
    seed: int
    cost: Cost
    headline: str
    """The verdict in one sentence."""
    advice: tuple[str, ...] = ()
    """What to do next, a sentence each, the most important first."""
    ended_at: str | None = None
    ended: str = "complete"
    """As in the footer of records.jsonl; `cut-off` where there is none."""
    requirements: tuple[RequirementResult, ...] | None = None
    load: LoadSummary | None = None
    format: int = 1

    def write(self, directory: Path) -> None:
        """Write summary.json into a run directory."""
        write_document(directory / NAME, self.to_json())

    @classmethod
    def read(cls, directory: Path) -> Summary:
        """The summary of a run directory.

        Raises:
            RunFileError: there is none, or it is damaged.
        """
        return read_document(directory / NAME, cls.from_json)
