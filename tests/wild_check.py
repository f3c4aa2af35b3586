"""A check of a wild server, without the command line around it: the outcomes, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testcard.conformance.gate import gate
from testcard.conformance.opening import open_session
from testcard.conformance.options import CheckOptions
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish, suite
from testcard.core.record import Finding, Record
from testcard.core.runfile import Skip
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring
from testcard.core.targetfile import find_target
from wild_server import KEYS, MODEL, Wild, serving

VARIABLES = {
    "main": "TESTCARD_API_KEY",
    "second": "TESTCARD_SECOND_KEY",
    "empty_wallet": "TESTCARD_EMPTY_WALLET_KEY",
    "limited": "TESTCARD_LIMITED_KEY",
}

LIMITS = {
    "limit.enforced",
    "limit.exact",
    "limit.granted",
    "limit.refused-at-once",
    "limit.retry-after",
    "limit.retry-after-honest",
    "limit.retry-after-tight",
    "limit.refusals-free",
    "limit.per-key",
    "limit.headers-true",
}
"""What a check without the limited key cannot judge."""
SECOND = {"auth.key-in-query", "auth.shortened-key"}
"""And without the second."""

SDK = {"sdk.pictures", "sdk.errors", "sdk.retries"}
"""What a defect means to the users of an SDK, beside the requirement that it breaks."""


@dataclass
class Examined:
    """What a check found."""

    results: dict[str, RequirementResult]
    records: list[Record]
    unanswered: str | None
    """Why there is no verdict, or None."""

    def of(self, *outcomes: str) -> dict[str, str]:
        """Requirements that ended so, each with what was seen."""
        return {
            name: f"{row.actual or row.reason} (expected {row.expected})"
            for name, row in self.results.items()
            if row.outcome in outcomes
        }


class _Log(list[Record | Finding | Skip]):
    def add(self, line: Record | Finding | Skip) -> None:
        self.append(line)


def declared(wild: Wild, base_url: str) -> dict[str, Any]:
    """What the target file of a server says."""
    return {
        "base_url": base_url,
        "model": MODEL,
        "dialect": wild.dialect,
        "auth": "none" if wild.open_to_all else "bearer",
        "sizes": list(wild.sizes),
        "default_size": wild.default_size,
        "max_n": wild.max_n,
        "response_formats": list(wild.formats),
        "default_response_format": wild.formats[0],
        "capabilities": ["generations", "models"],
        "timeout_s": 10.0,
        "limited": {"requests": 3, "window_s": 1.0},
        **wild.declares,
    }


def environment(wild: Wild) -> dict[str, str]:
    """The keys, as a user would export them."""
    return {VARIABLES[role]: KEYS[role] for role in wild.keys}


def examine(wild: Wild, *, seed: int = 1) -> Examined:
    """Serve it, check it, stop it."""
    with serving(wild) as base_url:
        given = {name: value for name, value in declared(wild, base_url).items() if value is not None}
        target = find_target(None, given, Path("/nonexistent"))
        assert target is not None
        log = _Log()
        session = Session(target, Keyring(target, environment(wild)), CheckOptions(seed=seed), log=log)
        try:
            open_session(session)
            table = suite()
            begin(session, list(table.items()))
            for name in table:
                unmet = session.unmet(name)
                if unmet is not None:
                    session.find(unmet)
                else:
                    finish(session, name)
        finally:
            session.close()
    if session.fatal is not None:
        raise session.fatal
    records = [line for line in log if isinstance(line, Record)]
    return Examined({name: session.tally.result(name) for name in table}, records, gate(records))


def assert_spotless(examined: Examined, kind: type[Wild]) -> None:
    """Nothing is accused, the verdict stands, and nothing is left unjudged but what needs a key that is not there."""
    accused, unjudged = examined.of("fail", "warn"), examined.of("not-judged")
    allowed = (set() if "limited" in kind.keys else LIMITS) | (set() if "second" in kind.keys else SECOND)
    assert examined.unanswered is None, examined.unanswered
    assert accused == {}, accused
    assert set(unjudged) <= allowed, unjudged
    assert len(examined.of("pass")) > 40, examined.results


class Clothes(list[type[Wild]]):
    """A table of correct servers."""

    def enter(self, kind: type[Wild]) -> type[Wild]:
        """Enter the decorated server."""
        self.append(kind)
        return kind


class Defects(list[Any]):
    """A table of servers, each with what it breaks, and what may be broken with it."""

    def enter(self, requirement: str, *also: str) -> Callable[[type[Wild]], type[Wild]]:
        """Enter the decorated server."""

        def enter(kind: type[Wild]) -> type[Wild]:
            self.append(pytest.param(kind, requirement, also, id=kind.__name__))
            return kind

        return enter


def assert_found(examined: Examined, requirement: str, also: tuple[str, ...]) -> None:
    """The requirement is broken, and besides it at most those others; whatever is broken says how and where.

    That an SDK stumbles over the same defect goes without saying.
    """
    broken = examined.of("fail", "warn")
    assert examined.unanswered is None, examined.unanswered
    result = examined.results[requirement]
    assert requirement in broken, f"{requirement}: {result.outcome}; but broken: {broken}"
    beside = {name: said for name, said in broken.items() if name not in (requirement, *also, *SDK)}
    assert beside == {}, beside
    assert result.expected, result
    assert result.actual, result
    assert result.evidence, result
