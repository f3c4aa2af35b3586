"""Schemathesis and testcard side by side: the same faults of the mock, the same correct servers, one run.

    python benchmarks/schemathesis.py [--all] [--every N] [--seed N] [--write]

A sample of the faults by default, chosen by the seed; --all takes every one. Schemathesis is installed from PyPI into
an environment of its own, which is kept in the temporary folder. It gets all of its checks, a good key, 60 examples,
and our OpenAPI document narrowed to what the target declares (its model, its sizes, what it says of an empty prompt):
without that it never asks for a picture. A fault counts as found by it when it reports any failure that it does not
report on the correct mock; by testcard, when the requirement that the fault breaks is broken. --write puts the table
into docs/side-by-side.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from checking import mock_target

from testcard import __version__, schemas
from testcard.conformance import CheckOptions, Contract
from testcard.conformance.session import Session
from testcard.conformance.suite import judge_all
from testcard.core.outcome import FAIL, WARN
from testcard.core.target import Keyring, Target
from testcard.core.targetfile import find_target
from testcard.mock_server import FAULTS, MockSettings, running

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "side-by-side.md"
ENVIRONMENT = Path(tempfile.gettempdir()) / "testcard-schemathesis"
WINDOW_S = 2.0
EXAMPLES = 60
PATIENCE_S = 300
CORRECT = (
    "Charset", "PrettyPrinted", "MoreKeys", "Unprocessable", "RetryAdvice", "SignedElsewhere",
)  # fmt: skip
"""Servers of tests/test_unusual_answers.py: right, and unusual."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One tool on one server."""

    said: frozenset[str]
    """What it has against the server."""
    requests: int
    images: int
    seconds: float


@dataclass
class Sum:
    """One tool on many servers."""

    found: int = 0
    of: int = 0
    accused: list[str] = field(default_factory=list)
    correct: int = 0
    requests: int = 0
    images: int = 0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    areas: Counter[str] = field(default_factory=Counter)

    def add(self, spent: Spent) -> None:
        self.requests += spent.requests
        self.images += spent.images
        self.seconds += spent.seconds


def schemathesis() -> Path:
    """The command, installed if it is not there yet."""
    command = ENVIRONMENT / "bin" / "schemathesis"
    if not command.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([ENVIRONMENT / "bin" / "pip", "install", "--quiet", "schemathesis"], check=True)
    return command


def document(target: Target) -> dict[str, Any]:
    """Our OpenAPI document as the target has it, hardened so that no correct server need break it."""
    narrowed = copy.deepcopy(schemas.openapi())
    schema = Contract.of(target).request_schema
    fields = {name: rule for name, rule in schema["properties"].items() if rule is not False}
    if target.name == "mock":  # it refuses an empty prompt, the servers of the tests draw one, and both are right
        fields["prompt"] |= {"minLength": 1}
    fields["model"] = {"type": "string", "enum": [target.model]}
    fields["n"] = {"enum": [*range(1, target.max_n + 1), None]}  # 6.0 is an integer to JSON Schema, and refused by many
    fields.pop("user")  # which correct servers do not look at
    fields["size"] = {"enum": [*target.sizes, None]}
    schema |= {"properties": fields, "required": ["prompt", "model"]}
    narrowed["components"]["schemas"]["CreateImageRequest"] = schema
    return narrowed


def by_schemathesis(command: Path, target: Target, base_url: str, key: str, seed: int) -> Spent:
    """Every check of Schemathesis on a server."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(json.dumps(document(target)), encoding="utf-8")
        begun = time.monotonic()
        subprocess.run(
            [
                command, "run", "openapi.json", "--url", base_url, "--checks", "all", "--seed", str(seed),
                "--max-examples", str(EXAMPLES), "--header", f"Authorization: Bearer {key}", "--continue-on-failure",
                "--suppress-health-check", "all", "--request-timeout", "20", "--report", "json,har",
                "--report-json-path", "run.json", "--report-har-path", "run.har",
            ],
            cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - begun
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        entries = json.loads((folder / "run.har").read_text(encoding="utf-8"))["log"]["entries"]
    said = {f"{row['title']} {operation}" for row in told["failures"] for operation in row["operations"]}
    said |= {f"error {json.dumps(row)[:80]}" for row in told["errors"]}
    return Spent(frozenset(said), len(entries), sum(map(_images, entries)), seconds)


def _images(entry: dict[str, Any]) -> int:
    """How many pictures an answer holds."""
    try:
        data = json.loads(entry["response"]["content"]["text"])["data"]
    except (KeyError, TypeError, ValueError):
        return 0
    made = entry["request"]["url"].endswith("/images/generations") and entry["response"]["status"] == 200
    return len(data) if made and isinstance(data, list) else 0


def by_testcard(target: Target, keyring: Keyring) -> Spent:
    """The whole check on a server."""
    begun = time.monotonic()
    session = Session(target, keyring, CheckOptions())
    judge_all(session)
    broken = frozenset(r for r in schemas.requirements() if session.tally.result(r).outcome in (FAIL, WARN))
    session.close()
    return Spent(broken, session.sender.requests, session.sender.budget.spent, time.monotonic() - begun)


@contextmanager
def mock(dialect: str, faults: tuple[str, ...]) -> Iterator[tuple[Target, Keyring, str]]:
    """The mock, as a target, with its key."""
    with running(MockSettings(faults=faults, dialect=dialect, window_s=WINDOW_S)) as base_url:
        target = mock_target(base_url, dialect, WINDOW_S)
        yield target, Keyring(target, {}), target.public_keys["main"]


@contextmanager
def unusual(name: str) -> Iterator[tuple[Target, Keyring, str]]:
    """A correct server of the tests, as a target, with its key."""
    sys.path.insert(0, str(ROOT / "tests"))
    import test_unusual_answers
    import wild_check
    from wild_server import KEYS, serving

    server = getattr(test_unusual_answers, name)()
    with serving(server) as base_url:
        given = {key: value for key, value in wild_check.declared(server, base_url).items() if value is not None}
        target = find_target(None, given, Path("/nonexistent"))
        assert target is not None  # noqa: S101  (a base URL was given)
        yield target, Keyring(target, wild_check.environment(server)), KEYS["main"]


Server = Callable[[], AbstractContextManager[tuple[Target, Keyring, str]]]


def both(command: Path, server: Server, seed: int) -> tuple[Spent, Spent]:
    """Each tool on a server of its own, started afresh."""
    with server() as (target, keyring, _):
        ours = by_testcard(target, keyring)
    with server() as (target, _, key):
        theirs = by_schemathesis(command, target, target.base_url, key, seed)
    return ours, theirs


def compare(names: list[str], seed: int) -> tuple[Sum, Sum]:
    """Both tools on the faults, and on the correct servers; two servers at a time."""
    command = schemathesis()
    ours, theirs = Sum(), Sum()
    usual: dict[str, frozenset[str]] = {}
    right: dict[str, Server] = {f"the mock, {name}": partial(mock, name, ()) for name in schemas.dialects()}
    right |= {name: partial(unusual, name) for name in CORRECT}
    wrong: list[Server] = [partial(mock, FAULTS[name].dialect, (name,)) for name in names]
    with ThreadPoolExecutor(2) as pool:
        spent = pool.map(lambda server: both(command, server, seed), [*right.values(), *wrong])
        for name, (mine, peer) in zip(right, spent, strict=False):
            usual[name.removeprefix("the mock, ")] = peer.said
            _correct(ours, name, mine)
            _correct(theirs, name, peer)
        for name, (mine, peer) in zip(names, spent, strict=True):
            fault = FAULTS[name]
            _fault(ours, name, mine, set(fault.breaks) <= mine.said)
            _fault(theirs, name, peer, bool(peer.said - usual[fault.dialect]))
            print(f"{name:<28} testcard {_mark(ours, name)}  schemathesis {_mark(theirs, name)}", flush=True)
    return ours, theirs


def _correct(total: Sum, name: str, spent: Spent) -> None:
    total.add(spent)
    total.correct += 1
    if spent.said:
        total.accused.append(f"{name}: {', '.join(sorted(spent.said))}")


def _fault(total: Sum, name: str, spent: Spent, found: bool) -> None:
    total.add(spent)
    total.of += 1
    total.found += found
    area = FAULTS[name].breaks[0].partition(".")[0]
    total.areas[area] += found
    if not found:
        total.missed.append(name)


def _mark(total: Sum, name: str) -> str:
    return "missed" if name in total.missed else "found "


def page(names: list[str], seed: int, ours: Sum, theirs: Sum) -> str:
    """docs/side-by-side.md."""
    version = subprocess.run([schemathesis(), "--version"], capture_output=True, text=True, check=True).stdout.split()[
        -1
    ]
    runs = ours.of + ours.correct
    which = (
        "all faults" if len(names) == len(FAULTS) else f"a sample, {len(names)} of {len(FAULTS)} faults, seed {seed}"
    )
    per_area = Counter(FAULTS[name].breaks[0].partition(".")[0] for name in names)
    lines = [
        "# Side by side with Schemathesis",
        "",
        "Made by benchmarks/schemathesis.py; not edited by hand. Both tools on the same servers in one run: "
        f"{which}, and {ours.correct} correct servers, the mock in each dialect among them.",
        "",
        "[Schemathesis](https://schemathesis.readthedocs.io) is made for any OpenAPI document, testcard for one API: "
        "that is what the figures show. Schemathesis gets all of its checks, a good key, "
        f"{EXAMPLES} examples, and our OpenAPI document narrowed by hand until no server that is right need break "
        "it (without that it accuses "
        "them all, and never asks for a picture). It has found "
        "a fault when it reports any failure that it does not report on the correct mock; testcard has, when the very "
        "requirement that the fault breaks is broken. The document cannot say everything (slugs and codes by dialect, "
        "say), so a fault in that is missed by construction. The faults are those that we thought of: a high score "
        "of ours is no surprise, and says nothing about faults that nobody thought of.",
        "",
        f"| | testcard {__version__} | Schemathesis {version} |",
        "|---|---|---|",
        f"| faults found | {ours.found} of {ours.of} | {theirs.found} of {theirs.of} |",
        f"| correct servers accused | {len(ours.accused)} of {ours.correct} | "
        f"{len(theirs.accused)} of {theirs.correct} |",
        f"| requests a server | {ours.requests / runs:.0f} | {theirs.requests / runs:.0f} |",
        f"| pictures a server | {ours.images / runs:.0f} | {theirs.images / runs:.0f} |",
        f"| seconds a server | {ours.seconds / runs:.1f} | {theirs.seconds / runs:.1f} |",
        "",
        "testcard's seconds hold the wait for a window of the limited key to pass.",
        "",
        "| area of the fault | faults | testcard | Schemathesis |",
        "|---|---|---|---|",
        *(f"| {area} | {n} | {ours.areas[area]} | {theirs.areas[area]} |" for area, n in sorted(per_area.items())),
        "",
        "Accused by Schemathesis, though correct:",
        "",
        *(f"- {line}" for line in theirs.accused or ["nothing"]),
        "",
        "Accused by testcard, though correct:",
        "",
        *(f"- {line}" for line in ours.accused or ["nothing"]),
        "",
        f"Missed by testcard: {_code(ours.missed)}. Missed by Schemathesis: {_code(theirs.missed)}.",
    ]
    return "\n".join(lines) + "\n"


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _sample(names: list[str], every: int, seed: int) -> list[str]:
    """One in `every`; the same for the same seed."""
    return random.Random(seed).sample(names, max(1, len(names) // every))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every fault")
    parser.add_argument("--every", type=int, default=4, metavar="N", help="one fault in N (4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/side-by-side.md")
    options = parser.parse_args()
    names = list(FAULTS)
    if not options.all:
        names = sorted(_sample(names, options.every, options.seed))
    text = page(names, options.seed, *compare(names, options.seed))
    print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
