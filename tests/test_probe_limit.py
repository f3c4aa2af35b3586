"""What the probe of the limited key says of honest limiters of every kind, with a fresh key and with one in use.

Every server has its own port, and all are probed side by side: the windows pass once for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from testcard.conformance import CheckOptions, case
from testcard.conformance.probe import PROBES
from testcard.conformance.session import Session
from testcard.core.record import Record
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring, Limit
from testcard.core.targetfile import profile_target
from testcard.mock_server import MockSettings, running
from testcard.mock_server.limiter import KINDS

LIMIT = next(probe for probe in PROBES if probe.name == "limit")
DECLARED = Limit(6, 8.0)
JUDGED = sorted(LIMIT.judges)
WINDOWED = [kind for kind in KINDS if kind != "concurrency"]
"""A cap on how many are under way keeps no limit of requests in a window."""
# An honest limiter keeps all of these, whatever its kind.
ALWAYS = {"limit.enforced", "limit.granted", "limit.retry-after", "limit.retry-after-honest", "limit.refused-at-once"}
# Long enough before the probe that some of what it used comes back while the probe waits.
EARLIER_S = 2.5


@dataclass(frozen=True)
class Probed:
    """What the probe found."""

    results: dict[str, RequirementResult]
    requests: int
    images: int

    def of(self, *outcomes: str) -> dict[str, str]:
        return {
            name: f"{row.actual or row.reason} (expected {row.expected})"
            for name, row in self.results.items()
            if row.outcome in outcomes
        }


def probe(
    settings: MockSettings,
    *,
    before: int = 0,
    declared: Limit = DECLARED,
    dialect: str = "page",
    phase: float | None = None,
) -> Probed:
    """Run the probe against a mock whose limited key was used some seconds before, or when about this share of a window
    of the mock's clock has passed.
    """
    records: list[Record] = []
    with running(replace(settings, dialect=dialect)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url, dialect=dialect, limited=declared)
        session = Session(target, Keyring(target, {}), CheckOptions(strict=True), on_record=records.append)
        try:
            for number in range(before):
                session.sender.send(case.refusable(session.asker, "limited", 90 + number))
            if before:
                time.sleep(EARLIER_S)
            most = LIMIT.cost(session)
            if phase is not None:  # not before all is there: on a busy machine that takes a good part of a window
                time.sleep((phase * declared.window_s - time.monotonic()) % declared.window_s)
            LIMIT.run(session)
            results = {name: session.tally.result(name) for name in JUDGED}
        finally:
            session.close()
    assert len(records) - before <= most.requests
    assert sum(record.images for record in records) <= most.images
    return Probed(results, len(records) - before, sum(record.images for record in records))


def mock(kind: str, requests: int = DECLARED.requests) -> MockSettings:
    return MockSettings(limiter=kind, rpm=requests, window_s=DECLARED.window_s)


# Name: how to probe. A limiter that is too strict, or too lax, stands beside the honest ones.
ROWS: dict[str, Callable[[], Probed]] = {
    **{kind: lambda kind=kind: probe(mock(kind)) for kind in WINDOWED},  # type: ignore[misc]  # a default binds the name
    **{f"{kind}, in use": lambda kind=kind: probe(mock(kind), before=3) for kind in WINDOWED},  # type: ignore[misc]
    "a bucket of one": lambda: probe(replace(mock("token-bucket"), bucket=1)),
    "openai": lambda: probe(mock("rolling"), dialect="openai"),
    "half": lambda: probe(mock("rolling", 3)),
    "half, by the clock": lambda: probe(mock("fixed-clock", 3), phase=0.2),
    "half, late on the clock": lambda: probe(mock("fixed-clock", 3), phase=0.8),
    "half, in use": lambda: probe(mock("sliding-log", 3), before=2),
    "one more": lambda: probe(mock("rolling", 7)),
    "two more, by the clock": lambda: probe(mock("fixed-clock", 8), phase=0.1),
    "three more": lambda: probe(mock("sliding-log", 9)),
    "double": lambda: probe(mock("rolling", 18)),
}
HONEST = [*WINDOWED, *(f"{kind}, in use" for kind in WINDOWED), "a bucket of one", "openai"]


@pytest.fixture(scope="module")
def probed() -> Iterator[dict[str, Probed]]:
    """All of them, at the same time."""
    with ThreadPoolExecutor(len(ROWS)) as pool:
        futures = {name: pool.submit(row) for name, row in ROWS.items()}
        yield {name: future.result() for name, future in futures.items()}


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_limiter_is_accused(name: str, probed: dict[str, Probed]) -> None:
    """Whatever its kind, and whether its key was in use before."""
    found = probed[name]
    assert found.of("fail", "warn") == {}
    assert set(found.of("pass")) >= ALWAYS, found.of("not-judged", "not-observed")


@pytest.mark.parametrize("name", ["half", "half, by the clock", "half, late on the clock", "half, in use"])
def test_a_limit_below_the_declared_one_is_found(name: str, probed: dict[str, Probed]) -> None:
    """A 429 before the declared number has passed breaks the promise, and no other."""
    broken = probed[name].of("fail", "warn")
    assert set(broken) - {"limit.headers-true"} == {"limit.granted"}


def test_a_limit_above_the_declared_one_is_found(probed: dict[str, Probed]) -> None:
    """It is granted, and not enforced."""
    broken = probed["double"].of("fail", "warn")
    assert set(broken) - {"limit.headers-true"} == {"limit.enforced"}


@pytest.mark.parametrize(("name", "images"), [("one more", 0), ("two more, by the clock", 0), ("three more", 2)])
def test_a_limit_that_is_a_little_above_is_found(name: str, images: int, probed: dict[str, Probed]) -> None:
    """It is enforced, and not where it is declared; pictures are asked for only where all that is free has passed."""
    broken = probed[name].of("fail", "warn")
    assert set(broken) - {"limit.headers-true"} == {"limit.exact"}
    assert probed[name].images <= images


def test_a_fresh_key_costs_no_more_than_it_has_to(probed: dict[str, Probed]) -> None:
    """The limit, one more, one on the second key, and two that keep the wait: and not one picture."""
    assert probed["rolling"].requests == DECLARED.requests + 4
    assert probed["rolling"].images == 0
