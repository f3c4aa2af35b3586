"""The mutation score of the check: every fault of the mock, over real sockets, with the whole catalogue.

    python benchmarks/mutation.py [--write] [FAULT ...]

A fault counts as found when the requirement that it breaks is broken; found by another only, it is missed.
--write puts the table into docs/mutation-score.md.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from checking import mock_target

from testcard import __version__, schemas
from testcard.conformance import CheckOptions, Contract
from testcard.conformance.judge import judge as judge_exchange
from testcard.conformance.session import Session
from testcard.conformance.suite import judge_all
from testcard.core.exchange import Exchange
from testcard.core.outcome import FAIL
from testcard.core.target import Keyring
from testcard.core.targetfile import profile_target
from testcard.mock_server import FAULTS, MockSettings, running
from testcard.mock_server.faults import Fault

PAGE = Path(__file__).parent.parent / "docs" / "mutation-score.md"
WINDOW_S = 6.0
AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Row:
    fault: str
    breaks: tuple[str, ...]
    found: tuple[str, ...]
    others: tuple[str, ...]
    requests: int
    images: int

    @property
    def caught(self) -> bool:
        return set(self.breaks) <= set(self.found)


def at_the_judge(fault: Fault, shown: Exchange) -> Row:
    """A fault that loopback cannot show: what a client would have recorded of it, judged."""
    parts = urlsplit(shown.url)
    scheme = "https" if shown.request.in_the_clear else parts.scheme
    target = replace(profile_target("mock"), base_url=f"{scheme}://{parts.netloc}/v1", dialect=fault.dialect)
    broken = {finding.requirement for finding in judge_exchange(shown, Contract.of(target)).broken}
    return Row(fault.name, fault.breaks, tuple(broken & set(fault.breaks)), (), 0, 0)


def row_of(name: str) -> Row:
    """How a fault was found."""
    fault = FAULTS[name]
    return judge(name, fault.dialect, (name,)) if fault.shown is None else at_the_judge(fault, fault.shown)


def judge(name: str, dialect: str, faults: tuple[str, ...]) -> Row:
    """One full check of the mock with these faults; a SHOULD counts as a MUST."""
    with running(MockSettings(faults=faults, dialect=dialect, window_s=WINDOW_S)) as base_url:
        target = mock_target(base_url, dialect, WINDOW_S)
        session = Session(target, Keyring(target, {}), CheckOptions(strict=True))
        judge_all(session)
        broken = [r for r in schemas.requirements() if session.tally.result(r).outcome == FAIL]
        session.close()
    breaks = FAULTS[name].breaks if name in FAULTS else ()
    return Row(
        fault=name,
        breaks=breaks,
        found=tuple(r for r in broken if r in breaks),
        others=tuple(r for r in broken if r not in breaks),
        requests=session.sender.requests,
        images=session.sender.budget.spent,
    )


def page(rows: list[Row], correct: list[Row]) -> str:
    """docs/mutation-score.md."""
    caught = sum(row.caught for row in rows)
    ids = {requirement for row in rows for requirement in row.breaks}
    lines = [
        "# Mutation score",
        "",
        "`make mutation` runs the whole check, over real sockets, on every fault of the bundled mock "
        f"(testcard {__version__}). A fault that only another requirement finds counts as missed; one that "
        "loopback cannot show (0 requests) is tried at the judge. Made by "
        "benchmarks/mutation.py; not edited by hand.",
        "",
        f"**{caught} of {len(rows)} faults found ({caught / len(rows):.1%}), breaking {len(ids)} of "
        f"{len(schemas.requirements())} requirements.**",
        "",
    ]
    for row in correct:
        accused = ", ".join(row.others) or "nothing"
        spent = f"{row.requests} requests, {row.images} images"
        lines.append(f"- The correct mock in the dialect {row.fault}: {accused} accused, {spent}.")
    lines += ["", "| fault | breaks | found | also broken | requests | images |", "|---|---|---|---|---|---|"]
    for row in rows:
        found = "yes" if row.caught else f"**missed**: {', '.join(set(row.breaks) - set(row.found))}"
        others = ", ".join(f"`{name}`" for name in row.others)
        breaks = ", ".join(f"`{name}`" for name in row.breaks)
        lines.append(f"| `{row.fault}` | {breaks} | {found} | {others} | {row.requests} | {row.images} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(FAULTS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        correct = list(pool.map(lambda dialect: judge(dialect, dialect, ()), schemas.dialects()))
        rows = list(pool.map(row_of, names))
    for row in rows:
        if not row.caught:
            missed = ", ".join(set(row.breaks) - set(row.found))
            print(f"MISSED  {row.fault}: {missed}; found {', '.join(row.others) or 'nothing'}")
    accused = [row for row in correct if row.others]
    for row in accused:
        print(f"ACCUSED {row.fault}: {', '.join(row.others)}")
    caught = sum(row.caught for row in rows)
    print(f"{caught} of {len(rows)} faults found, {sum(row.requests for row in rows)} requests")
    if "--write" in sys.argv:
        PAGE.write_text(page(rows, correct), encoding="utf-8")
    sys.exit(0 if caught == len(rows) and not accused else 1)


if __name__ == "__main__":
    main()
