"""A check from inside a program: pytest, in this process, shut off from whatever lies around it.

No conftest, configuration file, PYTEST_ADDOPTS or plugin of the user's reaches it, and it leaves no cache,
no database and no bytecode behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testcard.conformance import plugin
from testcard.conformance.plugin import Settings
from testcard.conformance.session import Session
from testcard.conformance.suite import leaving_nothing, planned_requests
from testcard.core.errors import BudgetExhausted, TestcardError

_UNNEEDED = ("terminal", "cacheprovider", "logging", "faulthandler", "junitxml")
_ALONE = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_DEBUG")


class _Watch:
    """Hands the settings to the plugin, and tells errors of ours from findings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.crash: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.SETTINGS] = self._settings

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.fail.Exception):
            self.crash = self.crash or call.excinfo.exconly()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.crash = self.crash or str(report.longrepr)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.crash = self.crash or excinfo.exconly()


def check(session: Session, wanted: tuple[str, ...]) -> None:
    """Judge the wanted requirements; what was found is in the session's tally and log.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        TestcardError: an error of ours, or `session.fatal`: why the rest was not asked for.
    """
    code, crash = _pytest(Settings(session, wanted))
    if code == pytest.ExitCode.INTERRUPTED and session.fatal is None and crash is None:
        raise KeyboardInterrupt
    if crash is not None and session.fatal is None:
        raise TestcardError(f"an error of testcard's own: {crash}; please report it")
    if isinstance(session.fatal, BudgetExhausted):
        raise BudgetExhausted(f"{session.fatal}; {_cost(session, wanted)}")
    if session.fatal is not None:
        raise session.fatal


def _cost(session: Session, wanted: tuple[str, ...]) -> str:
    """What the whole check needs, for those whose budget did not do."""
    images = sum(request.images for request in planned_requests(session, wanted) if request.key == "main")
    price = session.contract.target.price_usd_per_image
    return f"the whole check needs {images} images" + (f", ${images * price:.4f}" if price else "")


def _pytest(settings: Settings) -> tuple[int, str | None]:
    watch = _Watch(settings)
    here = Path(__file__).parent
    arguments = [
        str(here), f"--rootdir={here}", "-c", os.devnull, "--noconftest", "--import-mode=importlib", "--assert=plain",
        "--capture=no", "-p", "testcard.conformance.plugin", *(f"-pno:{name}" for name in _UNNEEDED),
        "-W", "ignore",
    ]  # fmt: skip
    with _alone():
        code = pytest.main(arguments, plugins=[watch])
    return int(code), watch.crash


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hide the user's pytest settings, and keep what pytest and hypothesis would write out of his folder."""
    hidden = {name: os.environ.pop(name) for name in _ALONE if name in os.environ}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    with leaving_nothing():
        try:
            yield
        finally:
            sys.dont_write_bytecode = bytecode
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
            os.environ.update(hidden)
