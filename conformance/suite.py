"""The suite as a table: which requests each requirement is judged by, as the tests declare it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module

from hypothesis.configuration import set_hypothesis_home_dir

from testcard import schemas
from testcard.conformance import case
from testcard.conformance.case import Cases
from testcard.conformance.opening import open_session
from testcard.conformance.probe import PROBES, needed
from testcard.conformance.session import Session
from testcard.core.exchange import Request


def suite() -> dict[str, Cases | None]:
    """Requirements in the order of the catalogue, each with the cases of its test; None: judged on what others ask."""
    found: dict[str, Cases | None] = {}
    for area in schemas.areas():
        module = import_module(f"testcard.conformance.test_{area}")
        for test in vars(module).values():
            for mark in getattr(test, "pytestmark", ()):
                if mark.name == "requirement":
                    found[mark.args[0]] = mark.args[1]
    return {name: found[name] for name in schemas.requirements() if name in found}


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """Keep what hypothesis would write out of the working directory."""
    with tempfile.TemporaryDirectory(prefix="testcard-") as folder:
        set_hypothesis_home_dir(folder)
        yield


def planned_requests(session: Session, wanted: Sequence[str]) -> list[Request]:
    """What a check would send at least, each request once. Sends nothing."""
    table = suite()
    requests: dict[tuple[object, ...], Request] = {}
    with leaving_nothing():
        for name in wanted:
            cases = table[name]
            if cases is not None and session.unmet(name) is None:
                for request in cases(session.asker):
                    requests.setdefault(request.identity, request)
    return list(requests.values())


def begin(session: Session, wanted: Sequence[tuple[str, Cases | None]]) -> None:
    """Ask for requirements side by side, the limited key beside them. What cannot be judged here is said at once."""
    judgeable = []
    for name, cases in wanted:
        unmet = session.unmet(name)
        if unmet is None:
            judgeable.append((name, cases))
        else:
            session.find(unmet)
    if "auth.wrong-key" in {name for name, _ in judgeable}:
        # One after the other, before anything runs beside them: nothing may come between the good key and the wrong.
        pair = [case.refusable(session.asker, "main", 1), case.wrong_key(session.asker)[0]]
        session.ask_family("auth.wrong-key", pair)
    probes = needed(session, [name for name, _ in judgeable])
    for probe in probes:
        if probe.when == "first":
            session.background(probe.name, partial(probe.run, session))
            session.crew.wait_for(probe.name)
        elif probe.when == "beside":
            session.background(probe.name, partial(probe.run, session))
    session.prepare([(name, cases) for name, cases in judgeable if cases is not None])
    others = session.crew.under_way
    for probe in probes:
        if probe.when == "last":
            session.background(probe.name, partial(probe.run, session), after=others)


def judge_all(session: Session) -> None:
    """Open a session and ask for the whole catalogue; the tally holds what was found.

    Raises:
        NotJudged: the opening shows that nothing can be judged.
    """
    open_session(session)
    table = suite()
    begin(session, list(table.items()))
    for name in table:
        finish(session, name)


def finish(session: Session, name: str) -> None:
    """Return when everything that a requirement is judged by has been answered."""
    works = [probe.name for probe in PROBES if name in probe.waited_for_by]
    for work in (*works, name):
        session.crew.wait_for(work)
