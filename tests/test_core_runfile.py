"""records.jsonl: written by several threads, read back, cut off, foreign, newer."""

from __future__ import annotations

import json
import threading
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testcard import schemas
from testcard.core.errors import RunFileError, TestcardError, UsageError
from testcard.core.record import Finding, Picture, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import FORMAT, NAME, Footer, Header, RunFile, RunWriter, Skip, decode, encode
from testcard.core.summary import Cost, RequirementResult, Summary
from testcard.core.targetfile import profile_target

HEADER = Header("0.1.0", "check", "2026-11-22T15:12:00Z", profile_target("mock").describe(), 1, ("auth.challenge",))
FOOTER = Footer("complete", "2026-11-22T15:13:00Z", 1)


def record(number: int = 1, **changes: object) -> Record:
    """A record of a check."""
    usual = {"case": "a cat", "phase": "check", "at": "2026-11-22T15:12:01Z", "method": "POST", "url": "http://h/v1"}
    return Record(number=number, **{**usual, **changes})  # type: ignore[arg-type]  # the fields of Record


def write(folder: Path, *lines: Record | Finding | Skip, header: Header = HEADER, secret: str = "") -> None:
    with RunWriter(folder, header, Redactor([secret])) as writer:
        for line in lines:
            writer.add(line)
        writer.end(FOOTER)


@pytest.mark.parametrize("key", ["openai", "default", "request", "limited"])
def test_a_key_that_is_a_word_of_ours_masks_none_of_them(tmp_path: Path, key: str) -> None:
    """Who calls a key `openai` gets a run that can be read: requirements and fields keep their names."""
    found = Finding("generate.openai-fields", held=True)
    one = record(held=("generate.default-n",), key="limited", request_body=f"my {key} key")
    header = replace(
        HEADER, target={"name": "a", "dialect": "openai", "default_size": None}, requirements=(one.held[0],)
    )
    write(tmp_path / "run", one, found, header=header, secret=key)
    run = RunFile(tmp_path / "run")
    assert run.header == header
    assert list(run.findings()) == [found]
    assert list(run.records()) == [replace(one, request_body="my [redacted] key")]


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Header, records, findings, skips and footer, in their order and value by value."""
    finding = Finding("auth.challenge", held=False, expected="a", actual="b", evidence=(1, 2))
    full = record(
        status=200,
        headers=(("A", "1"), ("A", "2")),
        pictures=(Picture(3, "ff", "png", 4, 5),),
        broken=(finding,),
        held=("image.size",),
        images=2,
        sent_s=0.1,
    )
    skip = Skip("limit.enforced", "not-judged", "no key")
    write(tmp_path / "run", full, finding, skip)
    run = RunFile(tmp_path / "run")
    assert run.header == HEADER
    assert list(run.records()) == [full]
    assert list(run.findings()) == [finding]
    assert list(run.skips()) == [skip]
    assert run.footer() == FOOTER
    for text in (tmp_path / "run" / NAME).read_text(encoding="utf-8").splitlines():
        jsonschema.validate(json.loads(text), schemas.json_schema("records"))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PICTURES = st.builds(
    Picture, st.integers(0), _TEXT, st.none() | st.just("png"), st.none() | st.integers(1), st.none() | st.integers(1)
)
_FINDINGS = st.builds(Finding, _TEXT, st.booleans(), _TEXT, _TEXT, st.lists(st.integers(1), max_size=3).map(tuple))
_PAIRS = st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple)
_BY_TYPE: dict[str, st.SearchStrategy[object]] = {
    "int": st.integers(0),
    "str": _TEXT,
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str | None": st.none() | _TEXT,
    "int | None": st.none() | st.integers(),
    "float | None": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "dict[str, float] | None": st.none() | st.dictionaries(_TEXT, st.floats(0, allow_infinity=False), min_size=1),
    "tuple[str, ...]": st.lists(_TEXT, max_size=3).map(tuple),
    "tuple[tuple[str, str], ...]": _PAIRS,
    "tuple[Picture, ...]": st.lists(_PICTURES, max_size=2).map(tuple),
    "tuple[Finding, ...]": st.lists(_FINDINGS, max_size=2).map(tuple),
}


@given(st.fixed_dictionaries({row.name: _BY_TYPE[str(row.type)] for row in fields(Record)}))
@settings(deadline=None, max_examples=50, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_record_survives_the_way_to_disk(values: dict[str, object]) -> None:
    """from_json(to_json(record)) is the record, whatever its fields hold; each is one line."""
    made = Record(**values)  # type: ignore[arg-type]  # drawn by the fields' own types
    text = encode(made)
    assert "\n" not in text
    assert decode(text) == made


def test_a_key_is_redacted_on_its_way_to_disk(tmp_path: Path) -> None:
    """Whatever was done before: the writer's redactor sees every line, header and footer too."""
    secret = "sk-1234567890"  # noqa: S105  (made up)
    header = Header("0.1.0", "check", "now", {"name": secret}, 1)
    with RunWriter(tmp_path, header, Redactor([secret])) as writer:
        writer.add(record(body=f"no such key: {secret}", headers=((secret, secret),), case=secret))
        writer.add(Skip("auth.challenge", "not-judged", secret))
        writer.end(Footer("error", "now", 1, f"{secret} failed"))
    assert secret not in (tmp_path / NAME).read_text(encoding="utf-8")


def test_a_lone_surrogate_of_a_server_is_written(tmp_path: Path) -> None:
    """UTF-8 cannot hold it; the line stays JSON and the rest of the run readable."""
    write(tmp_path, record(body="\ud800 \x00 \u2028"), record(2))
    assert [row.number for row in RunFile(tmp_path).records()] == [1, 2]


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    """Eight threads at once: every record is there once, none torn."""
    with RunWriter(tmp_path, HEADER, Redactor()) as writer:
        start = threading.Barrier(8)

        def work(first: int) -> None:
            start.wait()
            for number in range(first, first + 100):
                writer.add(record(number, body="x" * 5000))

        threads = [threading.Thread(target=work, args=(100 * index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writer.records == 800
        writer.end(FOOTER)
    assert sorted(row.number for row in RunFile(tmp_path).records()) == list(range(800))


def test_a_run_that_was_cut_off_anywhere_is_read(tmp_path: Path) -> None:
    """Killed after any byte, in the middle of a character too: what is whole is read, and no footer is made up."""
    write(tmp_path / "whole", record(1), record(2, case="a \u732b on a \U0001f408 mat"))
    data = (tmp_path / "whole" / NAME).read_bytes()
    first = data.index(b"\n") + 1
    cut = tmp_path / "cut"
    cut.mkdir()
    for end in range(first, len(data) - 1):
        (cut / NAME).write_bytes(data[:end])
        run = RunFile(cut)
        numbers = [row.number for row in run.records()]
        assert numbers == [1, 2][: len(numbers)]
        assert len(numbers) >= data[:end].count(b"\n") - 1
        assert run.footer() is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}\n", b"[1]\n5\nnull\n", b"<html>\n", b"\x89PNG\r\n\x1a\n\xff\xfe", b'{"kind": "record"}\n'],
)
def test_a_foreign_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """What does not begin with a header is not a run of testcard."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(RunFileError, match="does not begin with a header"):
        RunFile(tmp_path)


def test_no_run_and_a_newer_run_are_one_sentence(tmp_path: Path) -> None:
    """A folder without records, no folder at all, and a format of the future; each a usage error."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no run directory"):
            RunFile(folder)
    newer = Header("9.9", "check", "now", {}, 1, format=FORMAT + 1)
    write(tmp_path, header=newer)
    with pytest.raises(RunFileError, match=r"9\.9; update testcard"):
        RunFile(tmp_path)


def test_what_a_newer_version_added_is_passed_over(tmp_path: Path) -> None:
    """Unknown kinds of lines and unknown fields do not keep an old run from being read."""
    write(tmp_path, record())
    path = tmp_path / NAME
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), "of_the_future": [1]})
    lines.insert(1, json.dumps({"kind": "future", "x": 1}))
    path.write_text("\n".join(lines), encoding="utf-8")
    assert list(RunFile(tmp_path).records()) == [record()]


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TestcardError, match="cannot be written"):
        RunWriter(tmp_path / place, HEADER, Redactor())


def test_a_summary_is_read_back(tmp_path: Path) -> None:
    """summary.json round-trips and is valid by its schema; a damaged one is one sentence."""
    row = RequirementResult(
        "auth.challenge", "SHOULD", "warn", False, "s", "src", "e", "a \ud800", ("record 1",), "curl"
    )
    summary = Summary("0.1.0", "check", "kept", 0, HEADER.target,
                      "now", 1, Cost(1, 2, 3, 0.5), "fine", requirements=(row,))  # fmt: skip
    summary.write(tmp_path)
    assert Summary.read(tmp_path) == summary
    jsonschema.validate(json.loads((tmp_path / "summary.json").read_text()), schemas.json_schema("summary"))
    (tmp_path / "summary.json").write_text('{"testcard": ')
    with pytest.raises(RunFileError, match="cannot be read"):
        Summary.read(tmp_path)


def test_of_two_runs_that_begin_in_one_folder_one_does(tmp_path: Path) -> None:
    """The second writer is refused in a sentence; what the first has written stays."""
    header = Header("0", "check", "", {}, 1)
    with RunWriter(tmp_path, header, Redactor(())), pytest.raises(UsageError, match="holds a run already"):
        RunWriter(tmp_path, header, Redactor(()))
    assert RunFile(tmp_path).header == header
