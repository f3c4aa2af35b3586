"""What users install: wheel and sdist, built and used without the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

import pytest

import testcard
from testcard import schemas
from testcard.mock_server import MockSettings, running

ROOT = Path(__file__).parent.parent
ROOMS = ("conformance", "load", "mock_server", "reports", "schemas")


def python(*command: str, folder: Path, executable: Path | str = sys.executable) -> str:
    """Standard output of a command of Python's, which must end well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TESTCARD", "PYTHON", "PIP"))}
    done = subprocess.run(
        [executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wheel_of(source: Path, folder: Path) -> Path:
    """A wheel of a checkout or an sdist, made without a network."""
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "--no-cache-dir"]
    python("-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(source), folder=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    python("-m", "hatchling", "build", "--target", "sdist", "--directory", str(folder), folder=ROOT)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made from the sdist, as a packager makes it."""
    return wheel_of(sdist, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts of a fresh environment with the wheel in it; what it depends on is borrowed from the running one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "env", with_pip=False)
    scripts = folder / "env" / "bin"
    paths = sysconfig.get_paths(vars={"base": str(folder / "env"), "platbase": str(folder / "env")}, scheme="venv")
    # A path in a .pth file is no site directory: the editable install of this checkout is not read along with it.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(paths["purelib"], "borrowed.pth").write_text("\n".join(borrowed))
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    target = ["--python", str(scripts / "python")]
    python("-m", "pip", *target, "install", *options, str(wheel), folder=folder)
    return scripts


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources() -> Iterator[str]:
    """Every file of ours that an installed testcard needs, by its name in the wheel."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"testcard/{path.relative_to(ROOT).as_posix()}"
    for part in ("core", "cli"):
        for path in (ROOT / "src" / "testcard" / part).rglob("*.py"):
            yield f"testcard/{path.relative_to(ROOT / 'src' / 'testcard').as_posix()}"
    yield from ("testcard/__init__.py", "testcard/__main__.py", "testcard/py.typed")


def test_the_wheel_holds_every_file_and_one_name(wheel: Path) -> None:
    """Modules, TOML, JSON, templates and scenarios; nothing twice, nothing else, and only testcard at the top."""
    found = names(wheel)
    assert found == set(sources())
    assert {name.partition("/")[0] for name in found} == {"testcard"}
    kinds = {Path(name).suffix for name in found}
    assert {".py", ".toml", ".json", ".html", ".css", ".js", ".typed"} <= kinds


def test_the_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """The wheel of the checkout and the wheel of the sdist hold the same bytes."""
    contents = []
    for each in (wheel, wheel_of(ROOT, tmp_path)):
        with zipfile.ZipFile(each) as archive:
            contents.append({info.filename: info.CRC for info in archive.infolist()})
    assert contents[0] == contents[1]


def test_the_sdist_holds_no_files_of_a_run(sdist: Path) -> None:
    """Sources, tests and documents; no environment, cache or run directory, and no link that leads outside."""
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    parts = {part for member in members for part in Path(member.name).parts}
    assert not parts & {".venv", "__pycache__", ".git", ".hypothesis", ".pytest_cache", "runs", "dist", "build"}
    assert {"pyproject.toml", "LICENSE", "README.md", "tests", *ROOMS} <= parts
    assert not [member.name for member in members if member.issym() or member.islnk()]


def test_the_metadata_says_what_is_installed(wheel: Path) -> None:
    """Name, version, license, one console script, and no plugin that would load us into everybody's pytest."""
    with zipfile.ZipFile(wheel) as archive:
        folder = next(name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        told = message_from_string(archive.read(f"{folder}/METADATA").decode())
        scripts = archive.read(f"{folder}/entry_points.txt").decode()
    assert (told["Name"], told["Version"]) == ("testcard", testcard.__version__)
    assert (told["License-Expression"], told["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert scripts.split() == ["[console_scripts]", "testcard", "=", "testcard.__main__:main"]
    lines = told.get_all("Requires-Dist", [])
    needed = {re.split("[<>=]", line)[0] for line in lines if "extra ==" not in line}
    assert [line for line in lines if "extra ==" in line and line.startswith("openai>=")]
    assert {"httpx", "locust", "hypothesis", "jsonschema", "pytest"} <= needed
    assert not {"ruff", "mypy", "openai", "hatchling"} & needed


def test_the_wheel_checks_and_loads_from_another_folder(installed: Path, tmp_path: Path) -> None:
    """The console script of a fresh environment does both jobs, from its own files only."""
    where = python("-c", "import testcard; print(testcard.__file__)", folder=tmp_path, executable=installed / "python")
    assert Path(where.strip()).is_relative_to(installed.parent)
    with running(MockSettings(window_s=1.0)) as base_url:
        target = ["--target", "mock", "--base-url", base_url, "--json"]
        script = str(installed / "testcard")
        checked = json.loads(python(script, "check", *target, folder=tmp_path, executable=installed / "python"))
        load = ["--rate", "5", "--duration", "1s", "--warmup", "0s", "--size", "512x512"]
        loaded = json.loads(python(script, "load", *target, *load, folder=tmp_path, executable=installed / "python"))
    assert checked["verdict"] == "kept"
    assert {row["outcome"] for row in checked["requirements"]} <= {"pass", "not-observed", "not-applicable"}
    assert loaded["load"]["arrivals"]["answered"] == loaded["load"]["arrivals"]["planned"] > 0
    assert len(list((tmp_path / "runs").glob("*/report.html"))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_the_suite_runs_under_pytest_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """`--pyargs testcard.conformance` finds the suite where it is installed."""
    with running(MockSettings(window_s=1.0)) as base_url:
        command = ["-m", "pytest", "-q", "-p", "testcard.conformance.plugin", "--pyargs", "testcard.conformance"]
        options = ["--testcard-target", "mock", "--testcard-base-url", base_url, "--testcard-only", "auth"]
        told = python(*command, *options, folder=tmp_path, executable=installed / "python")
    rows = [row for row in schemas.requirements().values() if row.area == "auth"]
    assert f"{len(rows)} passed" in told
