"""`testcard explain`: what an id, an outcome or an exit code means."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.outcome import EXIT_CODES, LOAD_OUTCOMES, OUTCOMES

if TYPE_CHECKING:
    from testcard.mock_server import Fault


@click.command(
    short_help="Explain an id, an outcome or an exit code.",
    epilog="""\b
Examples:
  testcard explain limit.retry-after-honest
  testcard explain n-clamped
  testcard explain interactive
  testcard explain not-observed
  testcard explain 3
""",
)
@click.argument("name", metavar="ID")
def explain(name: str) -> None:
    """Explain a requirement, an area, a fault of the mock, a claim, an outcome or an exit code."""
    from testcard.mock_server import FAULTS

    if name in schemas.requirements():
        lines = list(_requirement(schemas.requirements()[name]))
    elif name in schemas.areas():
        lines = [
            f"{row.id:<36} {row.level:<7} {row.statement}"
            for row in schemas.requirements().values()
            if row.area == name
        ]
    elif name in FAULTS:
        lines = list(_fault(FAULTS[name]))
    elif name in schemas.claims():
        lines = list(_claim(schemas.claims()[name]))
    elif name in OUTCOMES:
        lines = [f"{name}: an outcome of a requirement", "", OUTCOMES[name]]
    elif name in LOAD_OUTCOMES:
        lines = [f"{name}: an outcome of an arrival under load", "", LOAD_OUTCOMES[name]]
    elif name.isdigit() and int(name) in EXIT_CODES:
        word, meaning = EXIT_CODES[int(name)]
        lines = [f"exit code {name}: {word}", "", meaning]
    else:
        known = [*schemas.requirements(), *schemas.areas(), *FAULTS, *schemas.claims(), *OUTCOMES, *LOAD_OUTCOMES]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"areas: {', '.join(schemas.areas())}"
        raise UsageError(f"nothing is called {name!r}; {hint}")
    click.echo("\n".join(lines))


def _requirement(row: schemas.Requirement) -> Iterator[str]:
    from testcard.mock_server import FAULTS

    cost = {
        "any-answer": "on any answer, with no request of its own",
        "free": "by requests that cost nothing, as long as they are refused",
        "billed": "by requests that are billed",
        "special-key": "with a key of its own",
    }
    yield f"{row.id}: {row.level}"
    yield ""
    yield row.statement
    yield ""
    yield f"source     {row.source}"
    if row.openai_source:
        yield f"openai     {row.openai_source}"
    yield f"tested     {row.how}"
    yield f"observed   {cost[row.observed]}"
    yield f"dialects   {', '.join(row.dialects)}"
    if row.needs:
        yield f"needs      {', '.join(row.needs)}"
    yield f"broken by  {', '.join(name for name, fault in FAULTS.items() if row.id in fault.breaks)}"
    yield f"try        testcard check --only {row.id}"


def _fault(fault: Fault) -> Iterator[str]:
    yield f"{fault.name}: a fault of the bundled mock"
    yield ""
    yield fault.describe
    yield f"breaks     {', '.join(fault.breaks)}"
    if fault.shown is None:
        dialect = "" if fault.dialect == "page" else f" --dialect {fault.dialect}"
        yield f"try        testcard mock --fault {fault.name}{dialect}"
    else:
        yield "tried      at the judge, with what a client would have recorded: loopback cannot show it"


def _claim(claim: schemas.Claim) -> Iterator[str]:
    yield f"{claim.id}: a claim of the vendor's page"
    yield ""
    yield f"the page   “{claim.word}” ({claim.source})"
    yield f"measured   {claim.statement}, at {claim.confidence:.0%} confidence"
    yield f"bound      our reading, from {claim.bound_from}" + (f" ({claim.bound_url})" if claim.bound_url else "")
    scenario = " --scenario preview" if claim.measure == "freshness" else ""
    yield f"try        testcard load --claim {claim.id}{scenario} --size {claim.size}"
