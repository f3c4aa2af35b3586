"""From findings to outcomes: one rule for a check that runs, a run that ended, and one that was cut off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from testcard import schemas
from testcard.core import outcome
from testcard.core.record import Finding, Record
from testcard.core.runfile import Line, Skip
from testcard.core.summary import RequirementResult
from testcard.core.target import KnownFailure

_MOST_EVIDENCE = 5


@dataclass
class _Case:
    held: list[int] = field(default_factory=list)
    held_count: int = 0
    broken: list[tuple[Finding, tuple[int, ...]]] = field(default_factory=list)
    broken_count: int = 0
    skip: Skip | None = None


class Tally:
    """Collects findings by requirement; knows at any time how each stands.

    Args:
        strict: a SHOULD counts as a MUST.
        dialect: the contract that the target is held to; it decides which source is cited.
        known: failures that are accepted until a date.
    """

    def __init__(self, *, strict: bool = False, known: Iterable[KnownFailure] = (), dialect: str = "page") -> None:
        self._strict = strict
        self._dialect = dialect
        self._known = {row.requirement: row for row in known}
        self._cases: dict[str, _Case] = {}
        self._curls: dict[int, str] = {}

    def add(self, line: Line) -> None:
        """Take one line of a run: a record, a finding or a skip; other lines say nothing here."""
        match line:
            case Record():
                for requirement in line.held:
                    self._hold(requirement, (line.number,))
                for finding in line.broken:
                    self._break(finding, finding.evidence or (line.number,))
                # Of a load, only what was broken: a run may have a hundred thousand records.
                if line.reproduce and (line.broken or line.phase == "check"):
                    self._curls[line.number] = line.reproduce
            case Finding():
                if line.held:
                    self._hold(line.requirement, line.evidence)
                else:
                    self._break(line, line.evidence)
            case Skip():
                self._case(line.requirement).skip = line

    def seen(self) -> tuple[str, ...]:
        """The requirements about which anything was found, in the order of the catalogue."""
        return tuple(name for name in schemas.requirements() if name in self._cases)

    def result(self, requirement: str) -> RequirementResult:
        """How a requirement stands."""
        row = schemas.requirements()[requirement]
        case = self._case(requirement)
        level = "MUST" if self._strict else row.level
        name, reason = _outcome(row, case, level)
        expected = actual = ""
        evidence: tuple[int, ...] = tuple(case.held[:_MOST_EVIDENCE])
        reproduce = ""
        if name in (outcome.FAIL, outcome.WARN):
            first = case.broken[0][0]
            expected, actual = first.expected, first.actual
            if case.broken_count > 1:
                actual += f" (and {case.broken_count - 1} more)"
            evidence = tuple(dict.fromkeys(n for _, numbers in case.broken for n in numbers))[:_MOST_EVIDENCE]
            reproduce = next((self._curls[n] for n in evidence if n in self._curls), "")
        known = self._known.get(requirement)
        accepted = name == outcome.FAIL and known is not None and not _expired(known)
        if known is not None:
            reason = _known_reason(known, name, reason)
        return RequirementResult(
            id=requirement,
            level=row.level,
            outcome=name,
            known=accepted,
            statement=row.statement,
            source=row.source_in(self._dialect),
            expected=expected,
            actual=actual,
            evidence=tuple(f"record {number}" for number in evidence),
            reproduce=reproduce,
            reason=reason,
        )

    def stale(self, judged: Iterable[str] | None = None) -> tuple[str, ...]:
        """Known failures that healed or expired, a sentence each; they fail a run.

        Args:
            judged: only of these; what answers to other questions happen to show is too little to call it healed.
        """
        said, among = [], None if judged is None else frozenset(judged)
        for name, known in self._known.items():
            if name not in self._cases or (among is not None and name not in among):
                continue
            if _expired(known):
                said.append(f"the known failure {name} ({known.reason}) expired on {known.expires}")
            elif self.result(name).outcome == outcome.PASS:
                said.append(f"the known failure {name} ({known.reason}) healed: take it out of the file")
        return tuple(said)

    def _case(self, requirement: str) -> _Case:
        return self._cases.setdefault(requirement, _Case())

    def _hold(self, requirement: str, evidence: tuple[int, ...]) -> None:
        case = self._case(requirement)
        case.held_count += 1
        if len(case.held) < _MOST_EVIDENCE:
            case.held.extend(evidence)

    def _break(self, finding: Finding, evidence: tuple[int, ...]) -> None:
        case = self._case(finding.requirement)
        case.broken_count += 1
        if len(case.broken) < _MOST_EVIDENCE:
            case.broken.append((finding, evidence))


def _outcome(row: schemas.Requirement, case: _Case, level: str) -> tuple[str, str | None]:
    if case.skip is not None and case.skip.outcome == outcome.NOT_APPLICABLE:
        return outcome.NOT_APPLICABLE, case.skip.reason
    if case.broken:
        return (outcome.FAIL if level == "MUST" else outcome.WARN), None
    if case.held_count:
        return outcome.PASS, None
    if case.skip is not None:
        return case.skip.outcome, case.skip.reason
    if row.occasion:
        return outcome.NOT_OBSERVED, "its occasion never arose"
    return outcome.NOT_JUDGED, "no answer came that could show it"


def _expired(known: KnownFailure) -> bool:
    return datetime.now(UTC).date().isoformat() > known.expires


def _known_reason(known: KnownFailure, name: str, reason: str | None) -> str | None:
    if name != outcome.FAIL:
        return reason
    if _expired(known):
        return f"expired on {known.expires}: {known.reason}"
    return f"until {known.expires}: {known.reason}"
