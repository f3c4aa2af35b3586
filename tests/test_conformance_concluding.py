"""From findings to outcomes: the tally, judging across answers, and the gate before any verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testcard import schemas
from testcard.conformance import Across, Tally, case, gate
from testcard.core.record import Finding, Picture, Record
from testcard.core.runfile import Footer, Line, Skip
from testcard.core.target import KnownFailure

MUST, SHOULD, OCCASION = "image.size", "auth.challenge", "error.server"
assert schemas.requirements()[MUST].level == "MUST"
assert schemas.requirements()[SHOULD].level == "SHOULD"


def record(number: int = 1, **changes: object) -> Record:
    usual = {"case": "x", "phase": "check", "at": "now", "method": "POST", "url": "u", "key": "main", "status": 200}
    return Record(number=number, **{**usual, **changes})  # type: ignore[arg-type]  # the fields of Record


def kept(number: int, name: str = MUST) -> Record:
    return record(number, held=(name,))


def broke(number: int, name: str = MUST, **changes: object) -> Record:
    return record(number, broken=(Finding(name, False, "a", f"b{number}"),), reproduce=f"curl {number}", **changes)


def tally(*lines: Line, strict: bool = False, known: tuple[KnownFailure, ...] = ()) -> Tally:
    made = Tally(strict=strict, known=known)
    for line in lines:
        made.add(line)
    return made


@pytest.mark.parametrize(
    ("lines", "name", "strict", "outcome"),
    [
        ((kept(1),), MUST, False, "pass"),
        ((broke(1),), MUST, False, "fail"),
        ((broke(1, SHOULD),), SHOULD, False, "warn"),
        ((broke(1, SHOULD),), SHOULD, True, "fail"),
        ((kept(1), broke(2), kept(3)), MUST, False, "fail"),  # once broken, broken
        ((), MUST, False, "not-judged"),
        ((), OCCASION, False, "not-observed"),
        ((Skip(MUST, "not-judged", "no key"),), MUST, False, "not-judged"),
        ((Skip(MUST, "not-applicable", "n/a"), broke(1)), MUST, False, "not-applicable"),
        ((Skip(MUST, "not-judged", "no key"), kept(1)), MUST, False, "pass"),  # seen after all
        ((Skip(MUST, "not-judged", "no key"), broke(1)), MUST, False, "fail"),
        ((Finding(MUST, True, evidence=(3, 4)),), MUST, False, "pass"),
        ((Finding(MUST, False, "a", "b", (3, 4)),), MUST, False, "fail"),
        ((Footer("complete", "now", 0),), MUST, False, "not-judged"),
    ],
    ids=range(14),
)
def test_findings_make_an_outcome(lines: tuple[Line, ...], name: str, strict: bool, outcome: str) -> None:
    """A broken MUST fails, a broken SHOULD warns, nothing seen is never a pass."""
    assert tally(*lines, strict=strict).result(name).outcome == outcome


def test_a_failure_shows_its_evidence() -> None:
    """The first finding, how many more there are, the records, and the curl line of one of them."""
    result = tally(kept(1), broke(2), broke(3), broke(4)).result(MUST)
    assert (result.expected, result.actual) == ("a", "b2 (and 2 more)")
    assert result.evidence == ("record 2", "record 3", "record 4")
    assert result.reproduce == "curl 2"
    assert (result.level, result.statement, result.source) == (
        "MUST",
        schemas.requirements()[MUST].statement,
        schemas.requirements()[MUST].source,
    )


def test_evidence_is_capped() -> None:
    """A thousand failures fill no report and no memory."""
    result = tally(*(broke(number) for number in range(1, 1001))).result(MUST)
    assert result.actual == "b1 (and 999 more)"
    assert len(result.evidence) == 5


def test_only_what_was_seen_is_listed() -> None:
    """In the order of the catalogue; under load the requirements are those of which anything was said."""
    assert tally(kept(2, "transport.framing"), broke(1, SHOULD)).seen() == ("transport.framing", SHOULD)


PAST, FUTURE = "2020-01-01", "2999-01-01"


@pytest.mark.parametrize(
    ("lines", "expires", "outcome", "known", "stale"),
    [
        ((broke(1),), FUTURE, "fail", True, ""),
        ((broke(1),), PAST, "fail", False, "expired"),
        ((kept(1),), FUTURE, "pass", False, "healed"),
        ((kept(1),), PAST, "pass", False, "expired"),
        ((), FUTURE, "not-judged", False, ""),  # what was not looked at has not healed
    ],
)
def test_a_known_failure_is_accepted_until_its_day(
    lines: tuple[Line, ...], expires: str, outcome: str, known: bool, stale: str
) -> None:
    """It stays a fail and does not count; healed or expired it says so, which fails the run."""
    made = tally(*lines, known=(KnownFailure(MUST, "ticket 4711", expires),))
    result = made.result(MUST)
    assert (result.outcome, result.known) == (outcome, known)
    said = made.stale()
    assert len(said) == bool(stale)
    assert all(stale in sentence and "ticket 4711" in sentence for sentence in said)
    if outcome == "fail":
        assert "ticket 4711" in str(result.reason)


def test_a_known_failure_heals_only_where_it_was_judged() -> None:
    """`--only sdk` gets a few 401s as well; that these hold does not make the run fail for another area's entry."""
    made = tally(kept(1), known=(KnownFailure(MUST, "ticket 4711", FUTURE),))
    assert made.stale([SHOULD]) == ()
    assert len(made.stale([MUST, SHOULD])) == 1


def pictures(number: int, prompt: str, *digests: str, request_id: str | None = None) -> Record:
    shown = tuple(Picture(1, digest, "png" if digest else None) for digest in digests)
    headers = (("X-Request-ID", request_id),) if request_id else ()
    return record(number, request_body=f'{{"prompt": "{prompt}"}}', pictures=shown, headers=headers)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([pictures(1, "a", "x"), pictures(2, "b", "x")], [("image.distinct", (1, 2))]),
        ([pictures(1, "a", "x"), pictures(2, "a", "x")], []),  # the same prompt may bring the same picture
        ([pictures(1, "a", "x"), pictures(2, "b", "y")], []),
        ([pictures(1, "a", ""), pictures(2, "b", "")], []),  # no picture at all is judged elsewhere
        ([pictures(1, "a", request_id="i"), pictures(2, "b", request_id="i")], [("identity.request-id", (1, 2))]),
        ([pictures(1, "a", request_id="i"), pictures(2, "b", request_id="j"), pictures(3, "c")], []),
        ([replace(pictures(n, "a", request_id="cut"), request_id="x" * 300) for n in (1, 2)], []),  # asked twice for it
        ([record(1, request_body="no json", pictures=(Picture(1, "x", "png"),)),
          record(2, request_body="[1]", pictures=(Picture(1, "x", "png"),))], [("image.distinct", (1, 2))]),
    ],
    ids=range(8),
)  # fmt: skip
def test_answers_are_compared_with_each_other(records: list[Record], found: list[tuple[str, tuple[int, ...]]]) -> None:
    """The same bytes for different prompts, the same request id twice: what one answer alone cannot show."""
    across = Across()
    broken = [finding for line in records for finding in across.add(line) if not finding.held]
    assert [(finding.requirement, finding.evidence) for finding in broken] == found
    assert all(finding.expected and finding.actual for finding in broken)


def test_different_pictures_for_different_prompts_are_said_once() -> None:
    """One prompt alone shows nothing; two with pictures of their own show that they differ."""
    across = Across()
    said = [list(across.add(pictures(number, str(number), str(number)))) for number in range(1, 5)]
    assert [[(finding.requirement, finding.held) for finding in each] for each in said] == [
        [],
        [("image.distinct", True)],
        [],
        [],
    ]


GOOD = record(1, case=case.PROBES[0], shape="object{created,data}")
KEYLESS = record(2, case=case.KEYLESS, key=None, status=401, shape="object{error}")
MALFORMED = record(3, case=case.MALFORMED, status=400, shape="object{error}")


def alike(line: Record) -> Record:
    return record(line.number, case=line.case, key=line.key, status=200, shape=GOOD.shape)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([GOOD, KEYLESS, MALFORMED], None),
        ([GOOD, alike(KEYLESS), MALFORMED], None),  # one of them told apart is enough
        ([GOOD, MALFORMED], None),  # a target without keys
        ([], "nothing was asked"),
        ([record(case=case.PROBES[0], status=None)], "nothing answered"),
        ([record(case=case.PROBES[0], status=401), KEYLESS, MALFORMED], "no request with a good key got a 2xx"),
        ([record(case="x"), KEYLESS, MALFORMED], "no request with a good key got a 2xx"),
        ([GOOD, alike(KEYLESS), alike(MALFORMED)], "good, keyless and malformed requests all got the same answer"),
        ([GOOD, alike(MALFORMED)], "good and malformed requests all got the same answer"),
        ([record(case=case.PROBES[0], status=503), GOOD, KEYLESS, MALFORMED], None),
    ],
    ids=range(10),
)
def test_the_gate_says_why_there_is_no_verdict(records: list[Record], said: str | None) -> None:
    """Green with nothing seen would be the worst bug that we could ship."""
    reason = gate(records)
    assert reason is None if said is None else said in str(reason)
