"""A run of the past, read from its summary.json alone: a thousand of them in about a second.

Rule 1: what a file holds is doubted. Whatever is used later has been looked at here; a file that is wrong is left out
with a sentence.
Rule 2: of a requirement only its id and how it ended are read. No text of a server, no prompt and no curl line gets
into a history.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from testcard.core.errors import RunFileError
from testcard.core.outcome import EXIT_CODES, OUTCOMES
from testcard.core.record import Jsonable
from testcard.core.runfile import NAME as RECORDS
from testcard.core.soundness import misfit
from testcard.core.summary import NAME, Bound, LoadSummary, RequirementResult

_Record = TypeVar("_Record", bound=Jsonable)

FORMAT = 1
_MOST_BYTES = 50_000_000
_MOST = 10**12
"""Arrivals, and seconds."""
_VERDICTS = frozenset(word for code, (word, _) in EXIT_CODES.items() if code != 2)
_UNUSED = ("behaviour", "certificate", "server_timing", "by_size", "preview", "crowd", "limit")
"""Parts of a load that no history looks at, and that take longest to read."""


@dataclass(frozen=True, slots=True)
class Facts(Jsonable):
    """What a summary says of the run as a whole."""

    testcard: str
    command: str
    verdict: str
    exit_code: int
    started_at: str
    headline: str
    ended: str = "complete"
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Past:
    """One run."""

    directory: Path
    facts: Facts
    started: datetime
    name: str
    base_url: str
    model: str
    dialect: str
    requirements: tuple[RequirementResult, ...]
    load: LoadSummary | None
    digest: bytes
    """Of the file, by which a copy is known."""

    @property
    def bundled(self) -> bool:
        """Whether it is against the bundled mock."""
        return self.name == "mock" and self.base_url.startswith("http://127.0.0.1:")


def read(directory: Path) -> Past:
    """The run of a directory.

    Raises:
        RunFileError: there is no summary, or it is not one of ours, damaged, or of another version.
    """
    path = directory / NAME
    try:
        content = _content(directory, path)
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror}") from error
    data = _parsed(path, content)
    if not isinstance(data, dict) or "testcard" not in data:
        raise RunFileError(f"{path} is not a summary of testcard")
    version, written = data.get("format"), str(data["testcard"])[:20]
    if type(version) is not int or version < FORMAT:
        raise RunFileError(
            f"{path} has no format that this version reads; `testcard report {directory}` writes it anew"
        )
    if version > FORMAT:
        raise RunFileError(f"{path} was written by testcard {written}; update testcard to read it")
    try:
        return _past(directory, data, hashlib.blake2b(content, digest_size=16).digest())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        told = str(error) if isinstance(error, _Wrong) else f"not what a summary holds ({type(error).__name__})"
        raise RunFileError(f"{path} is damaged: {told}") from error


def _content(directory: Path, path: Path) -> bytes:
    if path.is_file():
        if path.stat().st_size > _MOST_BYTES:
            raise RunFileError(f"{path} is larger than any summary of ours, and was not read")
        return path.read_bytes()
    if (directory / RECORDS).exists():
        raise RunFileError(
            f"{directory} holds no {NAME}: the run is still going on or was cut off; "
            f"`testcard report {directory}` concludes it"
        )
    raise RunFileError(f"{directory} holds no {NAME}")


class _Wrong(ValueError):
    """A field of a summary that does not hold what it should."""


def _parsed(path: Path, content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:  # a lone surrogate, an integer of more than 64 bits
        return json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{path} is damaged: it is no JSON, or not all of it") from error


def _past(directory: Path, data: dict[str, Any], digest: bytes) -> Past:
    facts = _sound(Facts.from_json(data))
    if facts.verdict not in _VERDICTS:
        raise _Wrong(f"it has no verdict {facts.verdict[:40]!r}")
    target = data.get("target")
    if not isinstance(target, dict):
        raise _Wrong("target is not an object")
    told = {name: target.get(name) or "" for name in ("name", "base_url", "model", "dialect")}
    if not all(isinstance(value, str) for value in told.values()):
        raise _Wrong("target holds something other than text")
    rows = data.get("requirements") or ()
    if not isinstance(rows, (list, tuple)):
        raise _Wrong("requirements is not an array")
    return Past(
        directory=directory,
        facts=facts,
        started=_moment(facts.started_at),
        requirements=tuple(map(_requirement, rows)),
        load=None if data.get("load") is None else _load(data["load"]),
        digest=digest,
        **told,
    )


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Wrong(f"started_at is no time: {text[:40]!r}") from error


def _requirement(row: Any) -> RequirementResult:
    name, level, outcome, known = row["id"], row["level"], row["outcome"], row["known"]
    if type(name) is not str or type(level) is not str or outcome not in OUTCOMES or type(known) is not bool:
        raise _Wrong("a requirement has no id, level or outcome that could be")
    return RequirementResult(name, level, outcome, known, "", "")


def _load(data: Any) -> LoadSummary:
    load = _sound(LoadSummary.from_json({name: value for name, value in data.items() if name not in _UNUSED}), "load.")
    counts = (*load.arrivals.values(), *load.outcomes.values())
    spans = (*load.latency_s.values(), load.offered_rate_per_s, load.achieved_rate_per_s, load.duration_s)
    if any(not 0 <= number <= _MOST for number in (*counts, *spans)):
        raise _Wrong("load holds a number that no load has")
    for bound in (*load.claims, *load.slos):
        _look_at(bound)
    return load


def _look_at(bound: Bound) -> None:
    worth = bound.effective_samples
    if not (
        bound.verdict in ("kept", "refuted", "inconclusive")
        and 0 < bound.quantile < 1
        and 0 < bound.confidence < 1
        and bound.bound_s > 0
        and 0 <= bound.misses <= bound.samples <= _MOST
        and (worth is None or worth >= 1)
    ):
        raise _Wrong(f"the bound {bound.id[:40]!r} says what no bound can")


def _sound(record: _Record, within: str = "") -> _Record:
    wrong = misfit(record)
    if wrong is not None:
        raise _Wrong(f"{within}{wrong[:80]} is not what it should be")
    return record
