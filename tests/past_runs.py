"""Summaries of runs that might have been: figures of real samples, by the functions that a load is concluded with."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from testcard.core.outcome import EXIT_CODES, FAIL, PASS
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary
from testcard.load.tally import bounded, named
from testcard.load.verdict import decide

NOW = datetime.now(UTC).replace(microsecond=0)
IDS = ("image.size", "image.count", "error.envelope", "auth.missing-key")
TARGET = {"name": "staging", "base_url": "https://staging.example.net/v1", "model": "m", "dialect": "page"}


def load_of(
    samples: Sequence[float], *, q: float = 0.95, bound_s: float = 1.0, limited: int = 0, **changes: Any
) -> LoadSummary:
    """A steady load whose answers took so long, judged by one SLO."""
    found = decide(samples, limited, 0, q=q, bound_s=bound_s, confidence=0.95)
    slo = Bound(
        f"p{q * 100:g}<={bound_s:g}s", found.word, q, bound_s, 0.95, asked=True, samples=found.samples,
        misses=found.misses, estimate_s=found.estimate_s, lower_s=found.lower_s, upper_s=found.upper_s,
    )  # fmt: skip
    n = len(samples) + limited
    arrivals = {"planned": n, "sent": n, "dropped": 0, "answered": n, "lost": 0}
    outcomes = dict.fromkeys(("valid", "invalid", "limited", "refused", "server-error", "timeout", "broken"), 0)
    load = LoadSummary(
        "steady", "ok", arrivals, 10.0, 10.0, n / 10, named(samples), named(samples),
        outcomes | {"valid": len(samples), "limited": limited}, slos=(slo,),
        latency_bounds_s=bounded(samples), size="1024x1024",
    )  # fmt: skip
    return dataclasses.replace(load, **changes)


def answers(dice: random.Random, *, scale: float = 1.0, number: int = 600) -> list[float]:
    """Lognormal latencies with a median of 0.3 s times `scale`."""
    return [0.3 * scale * dice.lognormvariate(0, 0.4) for _ in range(number)]


def summary_of(
    load: LoadSummary | None = None,
    *,
    days_ago: float = 0.0,
    broken: Sequence[str] = (),
    unjudged: Sequence[str] = (),
    known: Sequence[str] = (),
    ids: Sequence[str] = IDS,
    ended: str = "complete",
    code: int | None = None,
    target: dict[str, Any] | None = None,
) -> Summary:
    """The summary of a run."""
    outcomes = {name: FAIL if name in broken else "not-judged" if name in unjudged else PASS for name in ids}
    rows = tuple(
        RequirementResult(name, "MUST", outcome, name in known, f"{name} holds.", "a document")
        for name, outcome in outcomes.items()
    )
    refuted = load is not None and any(bound.verdict == "refuted" for bound in load.slos)
    ends = code if code is not None else int(refuted or bool(set(broken) - set(known)))
    return Summary(
        "0.1.0", "run" if load else "check", EXIT_CODES[ends][0], ends, target or TARGET,
        (NOW - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%SZ"), 1, Cost(10, 2, 0), "as it is", ended=ended,
        requirements=rows, load=load,
    )  # fmt: skip


def shelve(folder: Path, *summaries: Summary) -> Path:
    """Write each into a directory of its own, `folder/000` and so on."""
    for number, summary in enumerate(summaries):
        directory = folder / f"{number:03}"
        directory.mkdir(parents=True)
        summary.write(directory)
    return folder
