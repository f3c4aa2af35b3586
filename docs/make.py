"""Writes docs/requirements.md, and the table of faults in docs/mock.md, from the catalogue and the mock: `make docs`.

Run it after a row of schemas/requirements/ or a fault has changed; tests/test_docs.py says when it was forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from testcard import schemas
from testcard.mock_server import FAULTS
from testcard.mock_server.faults import Fault

PAGE = Path(__file__).parent / "requirements.md"
MOCK = Path(__file__).parent / "mock.md"
_HEAD = "| fault | breaks | what the server does |\n|---|---|---|\n"

_TITLES = {
    "transport": "Transport: labels, framing, paths and methods",
    "auth": "Authentication",
    "generate": "Generation: what is accepted, what is refused",
    "response": "The answer's envelope",
    "image": "The picture itself",
    "media": "Pictures by URL",
    "error": "Errors",
    "limit": "Limits",
    "concurrency": "Concurrency",
    "identity": "Request ids",
    "models": "The list of models",
    "sdk": "The official SDKs",
}
_COST = {
    "any-answer": "nothing: on any answer",
    "free": "nothing, where the server refuses what it should",
    "billed": "images",
    "special-key": "requests with a key of its own",
}
_INTRODUCTION = """\
{all} requirements: {musts} MUST and {shoulds} SHOULD. A MUST is one where a client that follows the documented
contract would get a wrong result, lose money, leak a secret, or meet a 5xx for its own mistake. The source is shown;
it does not set the level. `testcard explain ID` tells the same, `testcard check --only ID` judges one, and
[verdicts](verdicts.md) says how outcomes become an exit code.

*Needs* names what has to be declared in the [target](targets.md), or the key that has to be there; without it the
requirement is not judged, or does not apply. *Broken by* are the faults of the [bundled mock](mock.md) that show it
failing."""


def requirements_page() -> str:
    """The page, as it should be."""
    return "\n".join(_page()).rstrip() + "\n"


def _page() -> Iterator[str]:
    rows = schemas.requirements().values()
    musts = sum(row.level == "MUST" for row in rows)
    yield "# Requirements"
    yield ""
    yield "<!-- Made by docs/make.py from schemas/requirements/ and mock_server/faults/: edit those, `make docs`. -->"
    yield ""
    yield _INTRODUCTION.format(all=len(rows), musts=musts, shoulds=len(rows) - musts)
    for area in schemas.areas():
        yield ""
        yield f"## {_TITLES[area]}"
        for row in rows:
            if row.area == area:
                yield from _requirement(row)
    yield from _considered()


def _considered() -> Iterator[str]:
    yield ""
    yield "## Considered, and not asked, or not in full"
    yield ""
    yield "| promise | asked for by | why no more |"
    yield "|---|---|---|"
    for candidate in schemas.candidates():
        if candidate.because:
            yield f"| {candidate.promise} | {_code(candidate.into) or 'nothing'} | {candidate.because} |"


def _requirement(row: schemas.Requirement) -> Iterator[str]:
    every = set(row.dialects) == set(schemas.dialects())
    faults = [fault.name for fault in FAULTS.values() if row.id in fault.breaks]
    yield ""
    yield f"### {row.id}"
    yield ""
    yield f"**{row.level}** {row.statement}"
    yield ""
    yield f"- source: {row.source}"
    if row.openai_source:
        yield f"- source in the dialect openai: {row.openai_source}"
    yield f"- tested: {row.how}"
    yield f"- costs: {_COST[row.observed]}"
    yield f"- dialects: {'all' if every else ', '.join(row.dialects)}"
    if row.needs:
        yield f"- needs: {_code(row.needs)}"
    if row.occasion:
        yield "- a run may never meet it, and then says `not-observed`"
    yield f"- broken by: {_code(faults)}"


def _code(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def mock_page() -> str:
    """The page of the mock with the faults as they are, in the order of the catalogue."""
    before, _, after = MOCK.read_text(encoding="utf-8").partition(_HEAD)
    order = list(schemas.requirements())
    faults = sorted(FAULTS.values(), key=lambda fault: order.index(fault.breaks[0]))
    rows = [f"| `{fault.name}` | {_code(fault.breaks)} | {_said(fault)} |\n" for fault in faults]
    rest = after.splitlines(keepends=True)
    while rest and rest[0].startswith("|"):
        rest.pop(0)
    return before + _HEAD + "".join(rows) + "".join(rest)


def _said(fault: Fault) -> str:
    dialect = "" if fault.dialect == "page" else f" In the dialect {fault.dialect}."
    return fault.describe.replace("|", "\\|") + dialect


if __name__ == "__main__":
    PAGE.write_text(requirements_page(), encoding="utf-8")
    MOCK.write_text(mock_page(), encoding="utf-8")
