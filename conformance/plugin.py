"""The conformance suite under pytest: `pytest -p testcard.conformance.plugin --pyargs testcard.conformance`.

Each test names its requirement and the requests that it is judged by; this plugin asks for them side by
side, and turns what was found into pytest's outcomes: a broken MUST fails, a broken SHOULD warns, and what
could not be judged is a skip with its reason. `testcard check` runs the same plugin with its own settings.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testcard import schemas
from testcard.conformance.case import Cases
from testcard.conformance.opening import open_session
from testcard.conformance.options import CheckOptions, selected
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish
from testcard.core import outcome
from testcard.core.budget import Budget
from testcard.core.errors import NotJudged, TestcardError, UsageError
from testcard.core.runfile import Skip
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring
from testcard.core.targetfile import find_target, parse_headers

__all__ = ["BrokenShould", "Settings", "requirement"]


class BrokenShould(UserWarning):
    """A SHOULD does not hold."""


@dataclass
class Settings:
    """What `testcard check` hands to the plugin, in place of command line options."""

    session: Session
    wanted: tuple[str, ...]


SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()


def requirement(name: str, cases: Cases | None = None) -> pytest.MarkDecorator:
    """Mark a test with the requirement that it judges, and what must be asked for it."""
    return pytest.mark.requirement(name, cases)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("testcard", "conformance of an image generation API")
    for name, text in (
        ("target", "a target profile or file"),
        ("base-url", "the API's address with its version path"),
        ("model", "the slug of the model"),
        ("dialect", f"the error contract: {', '.join(schemas.dialects())}"),
        ("api-key-env", "the environment variable that holds the key"),
        ("confirm-host", "allow the burst that limit requirements need on this host"),
    ):
        group.addoption(f"--testcard-{name}", metavar=name.upper(), help=text)
    group.addoption(
        "--testcard-header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="sent with every request",
    )
    group.addoption("--testcard-only", action="append", default=[], metavar="AREA|ID", help="judge these only")
    group.addoption("--testcard-seed", type=int, default=1, help="seed of prompts and combinations")
    group.addoption("--testcard-budget-images", type=int, metavar="N", help="bill at most N images")
    group.addoption("--testcard-budget-usd", type=float, metavar="X", help="spend at most X US dollars")
    group.addoption("--testcard-strict", action="store_true", help="a SHOULD counts as a MUST")
    group.addoption("--testcard-thorough", action="store_true", help="every declared size, n at its maximum")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(name, cases): the requirement that a test judges")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the selected requirements; judge last what any answer may show."""
    settings = config.stash.get(SETTINGS, None)
    wanted = settings.wanted if settings else _wanted(config)
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        name = _name(item)
        (dropped if name is not None and name not in wanted else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    kept.sort(key=lambda item: _observed_late(_name(item)))
    items[:] = kept


def _wanted(config: pytest.Config) -> tuple[str, ...]:
    try:
        return selected(config.getoption("--testcard-only"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def _name(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("requirement")
    return str(marker.args[0]) if marker else None


def _cases(item: pytest.Item) -> Cases | None:
    marker = item.get_closest_marker("requirement")
    return marker.args[1] if marker else None


def _observed_late(name: str | None) -> bool:
    return name is not None and schemas.requirements()[name].observed == "any-answer"


@pytest.fixture(scope="session")
def testcard_session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The check: opened with its probes, asking for everything that the collected tests need."""
    settings = request.config.stash.get(SETTINGS, None)
    if settings is not None:
        session = settings.session
    else:
        try:
            session = _session(request.config, os.environ)
        except UsageError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    try:
        open_session(session)
    except TestcardError as error:
        session.fatal = error
        session.close()
        pytest.exit(f"not judged: {error}", returncode=pytest.ExitCode.TESTS_FAILED)
    begin(session, [(name, _cases(item)) for item in request.session.items if (name := _name(item)) is not None])
    yield session
    session.close()


def _session(config: pytest.Config, environ: Mapping[str, str]) -> Session:
    """A session from pytest's own options."""

    def option(name: str) -> Any:
        return config.getoption(f"--testcard-{name}")

    overrides: dict[str, Any] = {
        "base_url": option("base-url"),
        "model": option("model"),
        "dialect": option("dialect"),
        "keys": {"main": option("api-key-env")} if option("api-key-env") else None,
        "headers": parse_headers(option("header")),
    }
    target = find_target(option("target"), overrides, Path.cwd(), confirmed_host=option("confirm-host"))
    if target is None:
        raise UsageError("no target: pass --testcard-target or --testcard-base-url")
    return Session(
        target,
        Keyring(target, environ),
        CheckOptions(
            seed=option("seed"),
            thorough=option("thorough"),
            strict=option("strict"),
            burst_allowed=target.on_loopback or option("confirm-host") == target.host,
        ),
        budget=Budget(option("budget-images"), option("budget-usd"), target.price_usd_per_image),
    )


class Verify:
    """Asks for what a test's requirement needs, and fails, warns or skips by what was found."""

    def __init__(self, session: Session, name: str) -> None:
        self.session = session
        self.name = name

    def __call__(self) -> None:
        __tracebackhide__ = True
        unmet = self.session.unmet(self.name)
        if unmet is not None:
            pytest.skip(f"{unmet.outcome}: {unmet.reason}")
        finish(self.session, self.name)
        result = self.session.tally.result(self.name)
        if self.session.fatal is not None and result.outcome == outcome.NOT_JUDGED:
            self.session.find(Skip(self.name, outcome.NOT_JUDGED, str(self.session.fatal)))
            pytest.skip(f"{outcome.NOT_JUDGED}: {self.session.fatal}")
        _report(result)


def _report(result: RequirementResult) -> None:
    __tracebackhide__ = True
    match result.outcome:
        case outcome.PASS:
            return
        case outcome.FAIL if result.known:
            pytest.skip(f"{result.reason}: {result.actual}")
        case outcome.FAIL:
            pytest.fail(sentence(result), pytrace=False)
        case outcome.WARN:
            warnings.warn(BrokenShould(sentence(result)), stacklevel=2)
        case other:
            pytest.skip(f"{other}: {result.reason}")


def sentence(result: RequirementResult) -> str:
    """A broken requirement with all that a reader needs."""
    lines = [
        f"{result.id} ({result.level}): {result.statement}",
        f"  source    {result.source}",
        f"  expected  {result.expected}",
        f"  actual    {result.actual}",
    ]
    if result.evidence:
        lines.append(f"  evidence  {', '.join(result.evidence)}")
    if result.reproduce:
        lines.append(f"  try       {result.reproduce}")
    return "\n".join(lines)


@pytest.fixture
def verify(request: pytest.FixtureRequest, testcard_session: Session) -> Verify:
    """Judges the requirement that the test is marked with."""
    marker = request.node.get_closest_marker("requirement")
    if marker is None:
        raise NotJudged(f"{request.node.nodeid} is marked with no requirement")
    return Verify(testcard_session, str(marker.args[0]))
