"""The documents say what the tool does: whatever a user can name stands in them, and what they name exists."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from testcard import schemas
from testcard.cli import COMMANDS
from testcard.core.capacity import CapacityFigures, CapacityStep
from testcard.core.limitlab import (
    AdmissionFigures,
    ClientFigures,
    LimiterFigures,
    LimitEvent,
    LimitSummary,
    PromiseFigures,
    RetryAfterFigures,
    WaitFigures,
)
from testcard.core.loadpart import PreviewFigures, SizeFigures, StageFigures
from testcard.core.outcome import EXIT_CODES, LOAD_OUTCOMES, OUTCOMES
from testcard.core.record import Finding, Picture, Record
from testcard.core.runfile import Footer, Header, Skip
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary
from testcard.core.target import ROLES, KnownFailure, Limit, Slo, Target
from testcard.core.targetfile import find_target
from testcard.mock_server import FAULTS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in PAGES if path.parent.name == "docs")
WRITTEN = (
    Record, Finding, Picture, Header, Skip, Footer, Summary, Cost, RequirementResult, LoadSummary, Bound,
    StageFigures, SizeFigures, PreviewFigures, LimitSummary, LimiterFigures, RetryAfterFigures, AdmissionFigures,
    WaitFigures, PromiseFigures, ClientFigures, LimitEvent, CapacityFigures, CapacityStep,
)  # fmt: skip
DECLARED = (Target, Limit, Slo, KnownFailure)
INTERNAL = {"assumed", "public_keys", "slos", "known_failures"}
"""Fields of a target that no file names so: what nobody declared, keys of profiles, and tables of their own."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    found = getattr(importlib.import_module(f"testcard.cli.{name}"), name)
    assert isinstance(found, click.Command)
    return found


def options(name: str) -> Iterator[str]:
    """Every option of a command, as it is typed."""
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            yield from parameter.opts


def fences(page: str, language: str = "") -> Iterator[str]:
    """The code blocks of a page that are labelled so."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)


def without_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str) -> None:
    """docs/commands.md has a section for each command, and every option of it."""
    page = text("docs/commands.md")
    assert f"\n## {name}\n" in page
    missing = [option for option in options(name) if not re.search(rf"`{option}(?![\w-])", page)]
    assert not missing


def test_every_pytest_option_is_described() -> None:
    """docs/commands.md has every option that the plugin adds to pytest."""
    declared = re.findall(r'"(--testcard-[\w-]+)"', text("conformance/plugin.py"))
    named = re.findall(r'^        \("([\w-]+)", ', text("conformance/plugin.py"), re.MULTILINE)
    assert len(named) > 3
    missing = [o for o in (*declared, *(f"--testcard-{n}" for n in named)) if f"`{o}`" not in text("docs/commands.md")]
    assert not missing


def test_no_option_is_invented() -> None:
    """Every long option in the documents belongs to a command of ours, to our plugin, or to a program named here."""
    known = {option for name in COMMANDS for option in options(name)}
    known |= set(re.findall(r"--testcard-[\w-]+", text("docs/commands.md"))) | {"--help", "--version"}
    known |= {"--pyargs", "--junitxml", "--prefix", "--global", "--strict", "--config"}  # pytest, npm, mypy, LiteLLM
    for path in PAGES:
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", path.read_text(encoding="utf-8"))) <= known, path.name


def test_what_is_made_is_up_to_date() -> None:
    """docs/requirements.md and the faults of docs/mock.md are what docs/make.py makes."""
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs/make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    page = text("docs/requirements.md")
    assert page == make.requirements_page(), "run `make docs`"
    assert text("docs/mock.md") == make.mock_page(), "run `make docs`"
    for name, row in schemas.requirements().items():
        assert f"### {name}\n" in page
        assert row.statement in page
    for fault in FAULTS:
        assert f"`{fault}`" in page


def test_every_name_stands_in_the_docs() -> None:
    """Requirements, areas, faults, claims, dialects, profiles, outcomes, roles and exit codes can be looked up."""
    names = (
        *schemas.requirements(), *schemas.areas(), *FAULTS, *schemas.claims(), *schemas.dialects(),
        *schemas.profiles(), *OUTCOMES, *LOAD_OUTCOMES, *ROLES,
    )  # fmt: skip
    missing = [name for name in names if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", DOCS)]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", "docs/verdicts.md"])
def test_every_exit_code_has_its_verdict(page: str) -> None:
    """Each table of exit codes has every code with its verdict, and no other."""
    rows = re.findall(r"^\| (\d+) \| `?([\w-]+)`? \|", text(page), re.MULTILINE)
    assert {int(code): verdict for code, verdict in rows} == {code: word for code, (word, _) in EXIT_CODES.items()}


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_every_written_field_is_described(kind: type) -> None:
    """docs/reports.md has every field of records.jsonl and summary.json."""
    page = text("docs/reports.md")
    missing = [f.name for f in dataclasses.fields(kind) if f"`{f.name}`" not in page]
    assert not missing


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.__name__)
def test_every_target_field_is_described(kind: type) -> None:
    """docs/targets.md has every field that a target file may have."""
    page = text("docs/targets.md")
    missing = [f.name for f in dataclasses.fields(kind) if f.name not in INTERNAL and f"`{f.name}`" not in page]
    assert not missing


def test_the_defaults_of_a_target_are_those_of_the_docs() -> None:
    """The column of defaults in docs/targets.md tells what a target that nobody described really has."""
    target = Target("http://127.0.0.1:1/v1")
    page = text("docs/targets.md")
    for name in ("dialect", "auth", "max_n", "default_response_format", "timeout_s", "name"):
        row = re.search(rf"^\| `{name}` \| `?([^`|;]+)", page, re.MULTILINE)
        assert row is not None, name
        assert row[1].strip() == str(getattr(target, name))
    for name in ("response_formats", "capabilities"):
        assert f"| `{name}` | `{list(getattr(target, name))}`".replace("'", '"') in page


def test_the_target_file_of_the_docs_is_one(tmp_path: Path) -> None:
    """The whole example of docs/targets.md is read as a target."""
    example = "\n".join(fences("docs/targets.md", "toml"))
    tomllib.loads(example)
    file = tmp_path / "staging.toml"
    file.write_text(example, encoding="utf-8")
    target = find_target(str(file), {}, tmp_path)
    assert target is not None
    assert target.name == "staging"
    assert [row.requirement for row in target.known_failures] == ["auth.challenge"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link leads to a file, and to a heading of it where it names one."""
    for link in re.findall(r"\]\(([^)\s]+)\)", without_fences(path)):
        if "://" in link:
            continue
        name, _, heading = link.partition("#")
        file = path.parent / name if name else path
        assert file.is_file(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", without_fences(file), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link


def typed(page: str) -> Iterator[list[str]]:
    """The command lines of ours that a page shows, as words; what our programs print is left out."""
    for block in (*fences(page), *fences(page, "yaml")):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(?:\$ |- run: )?(?:[A-Z_]+=\S+ )*((?:testcard|make) (?!0\.1\.0|mock at).*)", line)
            if found is not None:
                yield shlex.split(found[1].partition(" > ")[0].removesuffix("&"), comments=True)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_that_the_docs_show_exist(path: Path) -> None:
    """Every line `testcard …` in a code block is taken by its command, and every `make …` has its target."""
    for program, *words in typed(str(path.relative_to(ROOT))):
        if program == "make":
            assert all(re.search(rf"^{word}:", text("Makefile"), re.MULTILINE) for word in words), words
        else:
            assert words[0] in COMMANDS, words
            command(words[0]).make_context(words[0], words[1:])


def test_the_readme_shows_its_commands() -> None:
    """The lines that the test above reads are really found."""
    found = [words[:2] for words in typed("README.md")]
    assert ["make", "run"] in found
    assert [words for words in found if words[0] == "testcard"] == [
        ["testcard", name] for name in ("plan", "run", "run", "check", "check")
    ]


def test_the_documents_name_no_machine() -> None:
    """No path of a machine that a page was written on stands in a document."""
    for path in PAGES:
        assert not re.search(r"(?<![\w.])/(?:home|work|tmp|root|Users)/", path.read_text(encoding="utf-8")), path.name
