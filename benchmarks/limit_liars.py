"""Who is named by `testcard load --scenario limit`: every liar among limiters, and every honest kind, in real time.

    python benchmarks/limit_liars.py [--at-once 4] [NAME ...]

A liar counts as named where the requirement that it breaks is broken; an honest limiter where nothing is. The liars are
the limit faults of the mock and the servers of tests/wild_limits.py, which share no code with it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from testcard.mock_server import FAULTS, MockSettings, running
from testcard.mock_server.limiter import KINDS
from wild_check import VARIABLES
from wild_command import started, summary, write_target
from wild_limits import REQUESTS, SERVERS, WINDOW_S, Bounded
from wild_server import KEYS, MODEL, serving

SPAN = "60s"
MOCK_KEYS = {
    "TESTCARD_API_KEY": "sk-aig-mock-funded",
    "TESTCARD_SECOND_KEY": "sk-aig-mock-second",
    "TESTCARD_LIMITED_KEY": "sk-aig-mock-limited",
}
# A cap of requests under way is seen only where requests take a while.
SERVICE_S = {"concurrency": 0.3}


@dataclass(frozen=True, slots=True)
class Row:
    """One server, and what has to be said of it."""

    name: str
    serving: Callable[[], AbstractContextManager[str]]
    breaks: frozenset[str]
    """One of them has to be broken; empty: it is honest."""
    fields: Mapping[str, Any]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What the scenario said of it."""

    row: Row
    code: int
    broken: tuple[str, ...]
    sentence: str
    verdict: str
    requests: int
    error: str

    @property
    def right(self) -> bool:
        if not self.row.breaks:
            return self.code == 0 and not self.broken
        return bool(self.row.breaks & set(self.broken))


def mock(name: str, breaks: tuple[str, ...] = (), **settings: Any) -> Row:
    """The bundled mock with a limiter, or with a fault."""
    usual = MockSettings(rpm=REQUESTS, window_s=WINDOW_S, **settings)
    return Row(name, lambda: running(usual), frozenset(breaks), {"extends": "mock"}, MOCK_KEYS)


def wild(name: str, kind: type[Bounded]) -> Row:
    """A server of its own."""
    fields = {
        "model": MODEL,
        "dialect": kind.dialect,
        "sizes": list(kind.sizes),
        "default_size": kind.default_size,
        "response_formats": list(kind.formats),
    }
    keys = {VARIABLES[role]: KEYS[role] for role in kind.keys}
    return Row(name, lambda: serving(kind()), frozenset(kind.breaks), fields, keys)


def rows() -> Iterator[Row]:
    """Every honest kind, then every liar."""
    for kind in KINDS:
        yield mock(kind, limiter=kind, latency_median_s=SERVICE_S.get(kind, 0.0))
    for name, fault in FAULTS.items():
        if any(requirement.startswith("limit.") for requirement in fault.breaks):
            yield mock(name, fault.breaks, faults=(name,), dialect=fault.dialect)
    for name, kind in SERVERS.items():
        yield wild(name, kind)


def ask(row: Row, folder: Path) -> Said:
    """Run the command as a user does; a SHOULD counts as a MUST."""
    folder.mkdir(parents=True)
    with row.serving() as base_url:
        limited = {"requests": REQUESTS, "window_s": WINDOW_S}
        fields = {"name": "lab", "base_url": base_url, "limited": limited, **row.fields}
        write_target(folder, fields)
        arguments = ("load", "--target", "target.toml", "--scenario", "limit", "--duration", SPAN)
        with started(folder, *arguments, "--strict", "--out", "run", keys=row.keys) as process:
            errors = process.communicate()[1]
    if not (folder / "run" / "summary.json").exists():
        return Said(row, process.returncode, (), "", "", 0, errors.strip())
    said = summary(folder / "run")
    found = said["load"].get("limit")
    return Said(
        row,
        process.returncode,
        tuple(one["id"] for one in said["requirements"] if one["outcome"] in ("fail", "warn")),
        found["limiter"]["sentence"] if found else "",
        found["retry_after"]["verdict"] if found else "",
        said["cost"]["requests"],
        "Traceback" if "Traceback" in errors else "",
    )


def show(said: Said) -> str:
    """One line of the table."""
    named = ", ".join(said.broken) or "nothing"
    mark = "ok  " if said.right else "MISS"
    return (
        f"{mark} {said.row.name:28} {said.code:3} {said.requests:3} {said.verdict:10} {named:60} "
        f"{said.sentence or said.error}"
    )


def main() -> int:
    """Ask them, so many at once, and print who was named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--keep", type=Path, help="keep the run directories here")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    chosen = [row for row in rows() if not options.names or row.name in options.names]
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(ThreadPoolExecutor(options.at_once))
        found = []
        for said in pool.map(lambda row: ask(row, folder / row.name.replace(" ", "-").replace(",", "")), chosen):
            found.append(said)
            print(show(said), flush=True)
    liars = [said for said in found if said.row.breaks]
    honest = [said for said in found if not said.row.breaks]
    print(f"{sum(said.right for said in liars)} of {len(liars)} liars named by their own requirement")
    print(f"{sum(said.right for said in honest)} of {len(honest)} honest limiters green")
    return 0 if all(said.right for said in found) else 1


if __name__ == "__main__":
    sys.exit(main())
