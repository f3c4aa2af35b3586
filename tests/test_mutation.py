"""Every requirement can fail: for each fault of the mock, the check names the requirement that it breaks.

The fast form: only what the fault's requirements are judged by is asked for. A fault that only another
requirement finds counts as missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from testcard import schemas
from testcard.conformance import CheckOptions, Contract
from testcard.conformance.judge import judge
from testcard.conformance.opening import open_session
from testcard.conformance.probe import PROBES
from testcard.conformance.probe.limit import LIMIT
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish, judge_all, suite
from testcard.core.errors import UsageError
from testcard.core.record import Record
from testcard.core.summary import RequirementResult
from testcard.core.target import Keyring, Limit, Target
from testcard.core.targetfile import profile_target
from testcard.mock_server import FAULTS, MockSettings, running

SHORT_WINDOW_S = 2.0
# A Retry-After that is not true differs from the truth only where that is some seconds, half of a wait is tried where
# it is 5 s at least, and a count is taken again where no window can turn meanwhile.
WINDOWS_S = {
    "limit.granted": 4.0,
    "limit.refused-at-once": 4.0,
    "limit.retry-after-honest": 4.0,
    "limit.retry-after-tight": 6.0,
    "limit.refusals-free": 6.0,
    "limit.exact": 8.0,
}


def target_of(base_url: str, dialect: str, window_s: float) -> Target:
    """The mock as a target, with the window of limits that it was started with."""
    main, limited = Limit(600, window_s), Limit(10, window_s)
    return replace(profile_target("mock"), base_url=base_url, dialect=dialect, limit=main, limited=limited)


def judged(target: Target, wanted: Sequence[str]) -> dict[str, RequirementResult]:
    """How the wanted requirements end on a target; a SHOULD counts as a MUST."""
    session = Session(target, Keyring(target, {}), CheckOptions(strict=True))
    try:
        open_session(session)
        table = suite()
        # What is judged on the answers to others' requests needs those requests.
        by_probe = frozenset[str]().union(*(probe.waited_for_by for probe in PROBES))
        alone = all(table[name] is not None or name in by_probe for name in wanted)
        begin(session, [(name, cases) for name, cases in table.items() if name in wanted or not alone])
        for name in table:
            finish(session, name)
        assert session.fatal is None, session.fatal
        return {name: session.tally.result(name) for name in wanted}
    finally:
        session.close()


def test_every_requirement_has_a_fault() -> None:
    """No requirement is without a fault that breaks it, and no fault breaks what is not in the catalogue."""
    broken = {name for fault in FAULTS.values() for name in fault.breaks}
    assert broken == set(schemas.requirements())


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.shown is not None])
def test_a_fault_that_loopback_cannot_show_is_found_at_the_judge(name: str) -> None:
    """What a client would have recorded of it breaks the requirement; the mock refuses to play it."""
    fault = FAULTS[name]
    assert fault.shown is not None
    parts = urlsplit(fault.shown.url)
    secure = f"https://{parts.netloc}/v1" if fault.shown.request.in_the_clear else f"{parts.scheme}://{parts.netloc}/v1"
    target = replace(target_of("http://127.0.0.1:1/v1", fault.dialect, 1.0), base_url=secure)
    found = judge(fault.shown, Contract.of(target)).broken
    assert {finding.requirement for finding in found} >= set(fault.breaks)
    with pytest.raises(UsageError, match=name):
        MockSettings(faults=(name,))


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.shown is None])
def test_a_fault_turns_its_requirement_red(name: str) -> None:
    """The requirement that a fault breaks fails, with what was expected, what came, and a record of it."""
    fault = FAULTS[name]
    window_s = max(WINDOWS_S.get(requirement, SHORT_WINDOW_S) for requirement in fault.breaks)
    with running(MockSettings(faults=(name,), dialect=fault.dialect, window_s=window_s)) as base_url:
        results = judged(target_of(base_url, fault.dialect, window_s), fault.breaks)
    for result in results.values():
        assert result.outcome == "fail", f"{result.id}: {result.outcome} ({result.reason})"
        assert result.expected
        assert result.actual
        assert result.evidence


@pytest.mark.parametrize("dialect", schemas.dialects())
def test_the_correct_mock_breaks_nothing(dialect: str) -> None:
    """In each dialect nothing fails, nothing is left unjudged, and what had no occasion says so."""
    with running(MockSettings(dialect=dialect, window_s=SHORT_WINDOW_S)) as base_url:
        results = judged(target_of(base_url, dialect, SHORT_WINDOW_S), tuple(schemas.requirements()))
    outcomes = {name: result.outcome for name, result in results.items()}
    for name, row in schemas.requirements().items():
        session_says = outcomes[name]
        if dialect not in row.dialects:
            continue
        if "outside" in row.needs:
            assert session_says == "not-applicable"
            continue
        assert session_says in ({"pass", "not-observed"} if row.occasion else {"pass"}), results[name]
    assert outcomes["error.server"] == outcomes["error.unavailable"] == "not-observed"


@pytest.mark.parametrize("faults", [(), ("limit-ignored",), ("limit-doubled",)])
def test_the_plan_bounds_what_the_limited_key_is_asked(faults: tuple[str, ...]) -> None:
    """However a server limits, the probe sends no more requests and buys no more pictures than `plan` says."""
    records: list[Record] = []
    with running(MockSettings(faults=faults, window_s=SHORT_WINDOW_S)) as base_url:
        target = target_of(base_url, "page", SHORT_WINDOW_S)
        session = Session(target, Keyring(target, {}), CheckOptions(), on_record=records.append)
        most = LIMIT.cost(session)
        LIMIT.run(session)
        session.close()
    assert len(records) <= most.requests
    assert sum(record.images for record in records) <= most.images


def test_the_wrong_key_is_tried_right_after_the_good_one() -> None:
    """Nothing comes between them, however many requests run side by side later."""
    records: list[Record] = []
    with running(MockSettings(window_s=SHORT_WINDOW_S)) as base_url:
        target = target_of(base_url, "page", SHORT_WINDOW_S)
        session = Session(target, Keyring(target, {}), CheckOptions(), on_record=records.append)
        judge_all(session)
        session.close()
    cases = sorted(records, key=lambda record: record.number)
    wrong = next(i for i, record in enumerate(cases) if record.case == "a wrong key right after a good one")
    assert cases[wrong - 1].key == "main"
    assert cases[wrong].key is None
