"""JSON documents of a run directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testcard.core.document import read_document, write_document
from testcard.core.errors import RunFileError, TestcardError


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Any JSON comes back, also a lone surrogate, which UTF-8 has no form for."""
    path = tmp_path / "a.json"
    write_document(path, {"said": "\ud83d", "n": [1, None]})
    assert read_document(path, dict) == {"said": "\ud83d", "n": [1, None]}
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_what_cannot_be_written_costs_nothing_that_was(tmp_path: Path) -> None:
    """Where the new text finds no place, the old one still stands, and the error is a sentence."""
    path = tmp_path / "a.json"
    write_document(path, 1)
    (tmp_path / "a.json.new").mkdir()
    with pytest.raises(TestcardError, match=r"a\.json cannot be written"):
        write_document(path, 2)
    assert json.loads(path.read_text(encoding="utf-8")) == 1


@pytest.mark.parametrize("text", [None, "{", '{"n": "x"}', "[]"])
def test_what_is_damaged_says_so(tmp_path: Path, text: str | None) -> None:
    """Nothing there, no JSON, and JSON of another shape are one kind of error."""
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(RunFileError, match=r"a\.json cannot be read"):
        read_document(path, lambda data: int(data["n"]))
