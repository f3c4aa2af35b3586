"""The house: which room may import which, what a module may weigh, and what the package claims."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testcard import schemas

ROOT = Path(__file__).parent.parent
ROOMS = {
    "schemas": ROOT / "schemas",
    "core": ROOT / "src/testcard/core",
    "mock_server": ROOT / "mock_server",
    "conformance": ROOT / "conformance",
    "load": ROOT / "load",
    "reports": ROOT / "reports",
    "cli": ROOT / "src/testcard/cli",
}
# schemas <- core <- {mock_server, conformance} <- load <- cli, and core <- reports <- cli
MAY_IMPORT = {
    "schemas": set(),
    "core": {"schemas"},
    "mock_server": {"schemas", "core"},
    "conformance": {"schemas", "core"},
    "load": {"schemas", "core", "mock_server", "conformance"},
    "reports": {"schemas", "core"},
    "cli": {"schemas", "core", "mock_server", "conformance", "load", "reports"},
}
MODULES = [
    pytest.param(room, path, id=f"{room}/{path.relative_to(folder)}")
    for room, folder in ROOMS.items()
    for path in sorted(folder.rglob("*.py"))
]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("room", "path"), MODULES)
def test_nothing_imports_against_the_arrows(room: str, path: Path) -> None:
    """A room imports itself and the rooms below it, and no other."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "testcard" and len(parts) > 1 and parts[1] in ROOMS:
            assert parts[1] == room or parts[1] in MAY_IMPORT[room], f"{path} imports {name}"
        assert parts[0] not in ROOMS, f"{path} imports {name} by its bare name"


@pytest.mark.parametrize("path", [module.values[1] for module in MODULES])
def test_httpx_and_gevent_are_touched_in_one_place_each(path: Path) -> None:
    """Only core/client.py imports httpx; only load/worker/, and the three files that start it, know gevent."""
    roots = {name.split(".")[0] for name in imports(path)}
    assert "httpx" not in roots or path == ROOMS["core"] / "client.py"
    knows = roots & {"locust", "gevent", "geventhttpclient"} or any(
        name.startswith("testcard.load.worker") for name in imports(path)
    )
    starts = {ROOMS["load"] / name for name in ("locustfile.py", "cluster/master.py", "cluster/remote.py")}
    assert not knows or path in starts or path.is_relative_to(ROOMS["load"] / "worker")


def test_a_module_stays_readable() -> None:
    """No module has more than 400 lines, and half of them have at most 150."""
    paths = [path for folder in ROOMS.values() for path in folder.rglob("*.py")]
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 150


def test_the_command_line_imports_no_load_generator_and_no_web_server() -> None:
    """Importing locust patches sockets and takes half a second; no command pays that at its start."""
    code = (
        "import sys, importlib, testcard.cli as cli; "
        "[importlib.import_module(f'testcard.cli.{name}') for name in cli.COMMANDS]; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"gevent", "locust", "uvicorn", "starlette", "PIL", "pytest", "hypothesis", "httpx"} & set(loaded)


def test_the_package_claims_one_import_name() -> None:
    """The five folders at the root are subpackages of testcard, reached through links."""
    links = {path.name: path for path in (ROOT / "src/testcard").iterdir() if path.is_symlink()}
    assert set(links) == {"conformance", "load", "mock_server", "reports", "schemas"}
    for name, link in links.items():
        assert link.resolve() == ROOT / name
    assert [
        path.name for path in (ROOT / "src").iterdir() if path.is_dir() and not path.name.endswith(".egg-info")
    ] == ["testcard"]


def test_architecture_is_told_in_under_sixty_lines() -> None:
    """ARCHITECTURE.md names every room."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    for room in ROOMS:
        assert f"{room}/" in text


def test_nobody_is_measured_by_another_vendors_page() -> None:
    """What a server of the dialect openai is held to comes from OpenAI, an RFC or practice."""
    for row in schemas.requirements().values():
        if "openai" in row.dialects and row.id != "error.code":  # which is about the difference
            assert "AIgateway" not in row.source_in("openai").split(";")[0], row.id


def test_every_requirement_has_a_test_that_says_its_sentence() -> None:
    """One requirement, one test, and its docstring is the sentence of the catalogue."""
    told: dict[str, str] = {}
    for area in schemas.areas():
        module = __import__(f"testcard.conformance.test_{area}", fromlist=["_"])
        for test in vars(module).values():
            for mark in getattr(test, "pytestmark", ()):
                assert mark.args[0] not in told
                told[mark.args[0]] = (test.__doc__ or "").strip()
    assert told == {name: row.statement for name, row in schemas.requirements().items()}


def test_every_candidate_became_a_requirement_or_says_why_not() -> None:
    """Whatever was considered ended in requirements or in a reason, and no requirement came from nowhere."""
    for candidate in schemas.candidates():
        assert candidate.into or candidate.because, candidate.promise
        assert set(candidate.into) <= set(schemas.requirements()), candidate.promise
    assert {name for candidate in schemas.candidates() for name in candidate.into} == set(schemas.requirements())
