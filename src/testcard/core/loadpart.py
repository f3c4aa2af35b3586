"""Parts of what a load measured: by stage, by picture size, and what a person saw who typed. Seconds throughout."""

from __future__ import annotations

from dataclasses import dataclass, field

from testcard.core.record import Jsonable


@dataclass(frozen=True, slots=True)
class Interval(Jsonable):
    """What a quantile can be: one-sided distribution-free confidence bounds, 95 % each; None: open."""

    lower_s: float | None = None
    upper_s: float | None = None


@dataclass(frozen=True, slots=True)
class StageFigures(Jsonable):
    """One stage of the measured phase, over the arrivals that were planned in it."""

    name: str
    begins_s: float
    """From the begin of the measured phase."""
    duration_s: float
    rate_per_s: float
    """As planned, at its begin."""
    end_rate_per_s: float
    offered_rate_per_s: float
    achieved_rate_per_s: float
    arrivals: dict[str, int]
    """planned = sent + dropped, sent = answered + lost."""
    latency_s: dict[str, float]
    """Planned send to last byte, arrivals that a 2xx answered."""
    outcomes: dict[str, int]
    media_s: dict[str, float] | None = None
    """Planned send to the last picture's last byte, where pictures came as URLs."""
    judged_as: str = ""
    """The name under which SLOs and claims were judged on it; empty: they were not."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """By SLO and claim: what its own arrivals say, where stages are judged apart."""


@dataclass(frozen=True, slots=True)
class SizeFigures(Jsonable):
    """The measured arrivals that asked for one picture size."""

    size: str
    arrivals: dict[str, int]
    latency_s: dict[str, float]
    outcomes: dict[str, int]
    media_s: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class PreviewFigures(Jsonable):
    """What a person saw who typed, each new prompt replacing the one in flight."""

    prompts: int
    """Typed in the measured phase."""
    shown: int
    """Those whose picture was ever on the screen."""
    cancelled: int
    """Those whose request was cancelled, since the next prompt came first."""
    failed: int
    """Those that were answered without a picture, dropped or lost."""
    shown_share: float
    age_s: dict[str, float]
    """How long before a moment the prompt of the picture on the screen was typed, over the time: p50, p95, max."""
    watched_s: float
    """From the first measured prompt to the last."""
    wasted: int
    """Generations that were asked for and never seen: cancelled, or answered with a 2xx that held no picture."""
    wasted_images: int
    """Images that they asked for: what they may have cost."""
    billed_unseen: int
    """Images that answers with a 2xx billed, as far as a client can see, and nobody saw; part of the former."""
