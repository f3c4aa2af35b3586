"""records.jsonl: a story with an end. A header, records and skips in the order of events, a footer.

A file without a footer is a run that was cut off; it is read all the same, and says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from testcard import schemas
from testcard.core.errors import RunFileError, TestcardError, UsageError
from testcard.core.outcome import LOAD_OUTCOMES, OUTCOMES
from testcard.core.record import Finding, Jsonable, Picture, Record
from testcard.core.redact import Redactor
from testcard.core.target import ROLES, Limit, Target

NAME = "records.jsonl"
FORMAT = 1
_KIND = '{"kind":"'  # how every line begins


@dataclass(frozen=True, slots=True)
class Header(Jsonable):
    """The first line: what was to be done."""

    testcard: str
    command: str
    started_at: str
    target: dict[str, Any]
    """Name, base_url, model, dialect and what else the target declares. No keys."""
    seed: int
    requirements: tuple[str, ...] = ()
    """The requirements that were to be judged, in the order of the catalogue."""
    load: dict[str, Any] | None = None
    """The load that was planned, as load/ wrote it."""
    options: dict[str, Any] | None = None
    """Options that change the verdict: `strict`, `require_all`."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Skip(Jsonable):
    """Why a requirement was not judged, or not to be judged."""

    requirement: str
    outcome: str
    """`not-judged` or `not-applicable`."""
    reason: str


@dataclass(frozen=True, slots=True)
class Footer(Jsonable):
    """The last line: how it ended."""

    ended: str
    """`complete`, `interrupted`, `unanswered`, `budget` or `error`."""
    ended_at: str
    records: int
    reason: str | None = None
    """One sentence, where it did not end complete."""


Line = Header | Record | Finding | Skip | Footer
_KINDS: dict[str, type[Header] | type[Record] | type[Finding] | type[Skip] | type[Footer]] = {
    "header": Header,
    "record": Record,
    "finding": Finding,
    "skip": Skip,
    "footer": Footer,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(line: Line) -> str:
    """One line of the file, without its line feed."""
    return _dumps(values_of(line)).decode("utf-8")


def redacted(line: Line, redactor: Redactor) -> bytes:
    """One line of the file as it is written: without secrets, without its line feed."""
    return dumped(values_of(line), redactor)


def values_of(line: Line) -> dict[str, Any]:
    """One line of the file as a JSON object."""
    return {"kind": _NAMES[type(line)], **line.to_json()}


def dumped(values: dict[str, Any], redactor: Redactor) -> bytes:
    """A JSON object as a line: without secrets, without its line feed."""
    data = _dumps(values)
    return _dumps(redactor.json(values, _words())) if redactor.may_change(data) else data


@cache
def _words() -> frozenset[str]:
    """Our own, which stand in every run: to somebody they are a key as well (`openai`, `default`), and no secret."""
    kinds = (*_KINDS.values(), Picture, Target, Limit)
    names = {name.name for kind in kinds for name in fields(kind)}
    outcomes = {*OUTCOMES, *LOAD_OUTCOMES}
    return frozenset({"kind", *_KINDS, *names, *ROLES, *outcomes, *schemas.requirements(), *schemas.dialects()})


def _dumps(values: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError:  # a lone surrogate, an integer of more than 64 bits
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def decode(text: str) -> Line | None:
    """The line, or None for a kind that this version does not know."""
    data = json.loads(text)
    kind = _KINDS.get(data.pop("kind", ""))
    return kind.from_json(data) if kind else None


class RunWriter:
    """Appends lines to a run's file; each is on its way to the disk before `add` returns. Thread-safe.

    Every line passes the redactor, whatever was done before.
    """

    def __init__(self, directory: Path, header: Header, redactor: Redactor) -> None:
        self._lock = threading.Lock()
        self._redactor = redactor
        self.records = 0
        self.path = directory / NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("xb")  # of two runs that begin in one folder together, one does
        except OSError as error:
            if isinstance(error, FileExistsError) and self.path.exists():
                raise UsageError(f"{directory} holds a run already: name another --out, or remove it") from error
            raise UsageError(f"{self.path} cannot be written: {error.strerror}; name another --out") from error
        self._write(header)

    def add(self, line: Record | Finding | Skip) -> None:
        """Append one line.

        Raises:
            TestcardError: the disk is full, or the file is gone.
        """
        self._write(line)

    def pass_on(self, lines: Sequence[bytes]) -> None:
        """Append records that another process made with `redacted`, by the same secrets.

        Raises:
            TestcardError: the disk is full, or the file is gone.
        """
        self._append(b"".join([line + b"\n" for line in lines]), len(lines))

    def end(self, footer: Footer) -> None:
        """Append the footer and close the file."""
        self._write(footer)
        self._file.close()

    def _write(self, line: Line) -> None:
        self._append(redacted(line, self._redactor) + b"\n", isinstance(line, Record))

    def _append(self, data: bytes, records: int) -> None:
        with self._lock:
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                raise TestcardError(f"{self.path} cannot be written: {error.strerror}") from error
            self.records += records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class RunFile:
    """A run directory's records.jsonl, read back. Lines are read anew at every pass but one, none is kept.

    Raises:
        RunFileError: there is no such file, or its first line is not a header of this format.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        if not self.path.is_file():
            raise RunFileError(f"{directory} is no run directory: it holds no {NAME}")
        first = next(self._lines(), None)
        if not isinstance(first, Header):
            raise RunFileError(f"{self.path} does not begin with a header; it is not a run of testcard")
        if first.format > FORMAT:
            raise RunFileError(f"{self.path} was written by testcard {first.testcard}; update testcard to read it")
        self.header = first
        self._read_to = 0

    def _lines(self, kind: str | None = None) -> Iterator[Line]:
        begin = None if kind is None else f'{{"kind":"{kind}"'
        # A run that was killed may end in the middle of a character.
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                if begin is not None and text.startswith(_KIND) and not text.startswith(begin):
                    continue  # of another kind; a run has a hundred thousand records
                try:
                    line = decode(text)
                except (ValueError, TypeError, AttributeError):
                    continue  # the last line of a run that was killed while writing it
                if line is not None:
                    yield line

    def records(self) -> Iterator[Record]:
        """The records, in the order in which they ended."""
        return (line for line in self._lines("record") if isinstance(line, Record))

    def fresh_records(self) -> Iterator[Record]:
        """The records that were written since this was asked last, of a run that goes on."""
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._read_to += len(line)
                text = line.decode("utf-8", "replace")
                if not text.startswith(f'{_KIND}record"'):
                    continue
                try:
                    record = decode(text)
                except (ValueError, TypeError, AttributeError):
                    continue
                if isinstance(record, Record):
                    yield record

    def findings(self) -> Iterator[Finding]:
        """Judgements over several records; those about one record stand in it."""
        return (line for line in self._lines("finding") if isinstance(line, Finding))

    def skips(self) -> Iterator[Skip]:
        return (line for line in self._lines("skip") if isinstance(line, Skip))

    def footer(self) -> Footer | None:
        """The last line, or None where the run was cut off."""
        return next((line for line in self._lines("footer") if isinstance(line, Footer)), None)
