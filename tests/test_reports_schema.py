"""records.jsonl and summary.json are what their schemas and docs/reports.md say."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import sample_run
from testcard import schemas
from testcard.core.behaviour import Behaviour, Ladder, LittleCheck, Parallelism, Saturation
from testcard.core.capacity import CapacityFigures, CapacityStep
from testcard.core.certificate import Certificate
from testcard.core.crowd import CrowdFigures, CrowdSummary
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
from testcard.core.loadpart import Interval, PreviewFigures, SizeFigures, StageFigures
from testcard.core.outcome import EXIT_CODES, LOAD_OUTCOMES, OUTCOMES
from testcard.core.record import Finding, Jsonable, Picture, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter, Skip, decode, encode
from testcard.core.servertiming import ServerMetric, ServerTiming
from testcard.core.summary import Bound, Cost, LoadSummary, RequirementResult, Summary
from testcard.core.targetfile import profile_target

RECORDS, SUMMARY = schemas.json_schema("records"), schemas.json_schema("summary")
LINE, WHOLE = Draft202012Validator(RECORDS), Draft202012Validator(SUMMARY)
SHAPES: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (Header, RECORDS["$defs"]["header"]),
    (Record, RECORDS["$defs"]["record"]),
    (Picture, RECORDS["$defs"]["picture"]),
    (Finding, RECORDS["$defs"]["finding"]),
    (Skip, RECORDS["$defs"]["skip"]),
    (Footer, RECORDS["$defs"]["footer"]),
    (Summary, SUMMARY),
    (RequirementResult, SUMMARY["$defs"]["requirement"]),
    (Cost, SUMMARY["$defs"]["cost"]),
    (Bound, SUMMARY["$defs"]["bound"]),
    (LoadSummary, SUMMARY["$defs"]["load"]),
    (ServerTiming, SUMMARY["$defs"]["serverTiming"]),
    (ServerMetric, SUMMARY["$defs"]["serverTiming"]["properties"]["metrics"]["items"]),
    (Behaviour, SUMMARY["$defs"]["behaviour"]),
    (Parallelism, SUMMARY["$defs"]["parallelism"]),
    (Ladder, SUMMARY["$defs"]["ladder"]),
    (Saturation, SUMMARY["$defs"]["saturation"]),
    (LittleCheck, SUMMARY["$defs"]["littleCheck"]),
    (Certificate, SUMMARY["$defs"]["certificate"]),
    (CapacityFigures, SUMMARY["$defs"]["capacity"]),
    (CapacityStep, SUMMARY["$defs"]["capacityStep"]),
    (CrowdSummary, SUMMARY["$defs"]["crowd"]),
    (CrowdFigures, SUMMARY["$defs"]["crowdFigures"]),
    (LimitSummary, SUMMARY["$defs"]["limitSummary"]),
    (LimiterFigures, SUMMARY["$defs"]["limiterFigures"]),
    (RetryAfterFigures, SUMMARY["$defs"]["retryAfterFigures"]),
    (AdmissionFigures, SUMMARY["$defs"]["admissionFigures"]),
    (WaitFigures, SUMMARY["$defs"]["waitFigures"]),
    (PromiseFigures, SUMMARY["$defs"]["promiseFigures"]),
    (ClientFigures, SUMMARY["$defs"]["clientFigures"]),
    (LimitEvent, SUMMARY["$defs"]["limitEvent"]),
    (Interval, SUMMARY["$defs"]["interval"]),
    (StageFigures, SUMMARY["$defs"]["stage"]),
    (SizeFigures, SUMMARY["$defs"]["size"]),
    (PreviewFigures, SUMMARY["$defs"]["preview"]),
)
"""Each dataclass that is written, with its schema."""

_TEXT = st.text(max_size=12)
_COUNT = st.integers(0, 10**6)
_SECONDS = st.floats(0, 1e6, allow_nan=False)
_SHARE = st.floats(0.5, 0.999)
_FIGURES = st.dictionaries(st.sampled_from(["p50", "p95", "p99.9", "max"]), _SECONDS)
_THREE = st.dictionaries(st.sampled_from(["p50", "p95", "max"]), _SECONDS)
_RATES = st.fixed_dictionaries(dict.fromkeys(("planned", "sent", "dropped", "answered", "lost"), _COUNT))
_NARROWER: dict[str, st.SearchStrategy[Any]] = {
    "level": st.sampled_from(["MUST", "SHOULD"]),
    "phase": st.sampled_from(["check", "warmup", "measured"]),
    "target": st.just(sample_run.TARGET),
    "attempt": st.integers(1, 3),
    "processes": st.integers(1, 8),
    "quantile": _SHARE,
    "confidence": _SHARE,
    "bound_s": st.floats(0.001, 100),
    "effective_samples": st.integers(1, 100_000),
    "places": st.integers(1, 64),
    "answers": st.integers(1, 10**6),
    "share": st.floats(0, 1),
    "seconds": _THREE,
    "unaccounted_s": _THREE,
    "server_s": st.dictionaries(_TEXT, _SECONDS, max_size=2),
    "told_s": _FIGURES,
    "true_s": _FIGURES,
    "off_s": _FIGURES,
    "looks": st.integers(1, 2),
    "format": st.just(1),
    "exit_code": st.sampled_from([0, 1, 3, 4, 5, 130]),
    "arrivals": _RATES,
    "latency_s": _FIGURES,
    "latency_bounds_s": st.dictionaries(st.sampled_from(["p50", "p99.9"]), st.deferred(lambda: instances(Interval))),
    "service_s": _FIGURES,
    "media_s": _FIGURES,
    "first_byte_s": _FIGURES,
    "dispatch_lag_s": _FIGURES,
    "age_s": _FIGURES,
    "loop": st.sampled_from(["open", "closed", "replace", "crowd", "probe"]),
    "verdicts": st.dictionaries(_TEXT, st.sampled_from(["kept", "refuted", "inconclusive"]), max_size=2),
    "options": st.just({"strict": True}),
    "load": st.just({"rate": 10}),
}
"""Fields of which the schemas say more than the type does."""
_WORDS: dict[type, dict[str, list[str]]] = {
    Record: {"outcome": list(LOAD_OUTCOMES)},
    RequirementResult: {"outcome": list(OUTCOMES)},
    Skip: {"outcome": ["not-judged", "not-applicable"]},
    Bound: {"verdict": ["kept", "refuted", "inconclusive"], "samples_of": ["arrivals", "glances"]},
    CapacityFigures: {
        "ended": ["found", "undecided", "ceiling", "never", "steps", "generator", "stopped"],
        "gave_way": ["latency", "limit", "errors", "generator"],
    },
    CapacityStep: {"verdict": ["kept", "refuted", "inconclusive", "generator"]},
    Summary: {
        "verdict": ["kept", "broken", "not-judged", "inconclusive", "error", "interrupted"],
        "ended": ["complete", "interrupted", "unanswered", "budget", "error", "cut-off"],
    },
    Footer: {"ended": ["complete", "interrupted", "unanswered", "budget", "error"]},
}


_OTHERWISE = {
    (Record, "first_byte_s"),
    (Record, "media_s"),
    (Certificate, "arrivals"),
    (Parallelism, "service_s"),
    (Ladder, "answers"),
}
"""Fields that share a name with one of _NARROWER and nothing else."""


def instances(kind: type[Jsonable]) -> st.SearchStrategy[Any]:
    """Any instance of a dataclass, within what its schema allows."""
    hints = typing.get_type_hints(kind)
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(kind):
        words = _WORDS.get(kind, {}).get(field.name)
        if words:
            fields[field.name] = st.sampled_from(words)
        elif field.name == "outcomes":
            fields[field.name] = st.dictionaries(st.sampled_from(list(LOAD_OUTCOMES)[:7]), _COUNT)
        elif field.name == "limit" and kind is LoadSummary:
            fields[field.name] = st.none()  # by itself, below: a summary with all of its parts takes hypothesis minutes
        elif field.name == "load" and kind is Summary:
            fields[field.name] = instances(LoadSummary)
        elif field.name == "format" and kind is Picture:
            fields[field.name] = st.none() | st.just("png")
        elif field.name == "service_s" and kind is ServerTiming:
            fields[field.name] = _THREE
        elif field.name in _NARROWER and (kind, field.name) not in _OTHERWISE:
            fields[field.name] = _NARROWER[field.name]
        else:
            fields[field.name] = _of_type(hints[field.name])
        if field.default is None:
            fields[field.name] |= st.none()
    return st.builds(kind, **fields)


def _of_type(hint: Any) -> st.SearchStrategy[Any]:
    plain = {str: _TEXT, int: _COUNT, float: _SECONDS, bool: st.booleans(), type(None): st.none()}
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and issubclass(hint, Jsonable):
        return instances(hint)
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(_of_type(inner[0]), max_size=2).map(tuple)
        return st.tuples(*map(_of_type, inner))
    return st.one_of(*map(_of_type, inner))


@pytest.mark.parametrize("kind", [Header, Record, Finding, Skip, Footer])
@settings(max_examples=50, deadline=None, database=None)
@given(data=st.data())
def test_every_line_survives_the_file_and_fits_its_schema(kind: type[Jsonable], data: st.DataObject) -> None:
    """A line that is written and read again is the same one, and records.schema.json describes it."""
    line = data.draw(instances(kind))
    text = encode(line)
    LINE.validate(json.loads(text))
    assert decode(text) == line


@settings(max_examples=50, deadline=None, database=None)
@given(data=st.data())
def test_every_summary_survives_the_file_and_fits_its_schema(data: st.DataObject) -> None:
    """A summary that is written and read again is the same one, and summary.schema.json describes it."""
    summary: Summary = data.draw(instances(Summary))
    text = json.dumps(summary.to_json())
    WHOLE.validate(json.loads(text))
    assert Summary.from_json(json.loads(text)) == summary


@pytest.mark.parametrize(("kind", "shape"), SHAPES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_schema_and_its_dataclass_have_the_same_fields(kind: type[Any], shape: dict[str, Any]) -> None:
    """A field is added to or removed from dataclass and schema together, and each is described."""
    names = {field.name for field in dataclasses.fields(kind)} - {"kind"}  # of lines, the schemas' own
    properties = {name: said for name, said in shape["properties"].items() if name != "kind"}
    assert properties.keys() == names
    assert shape["additionalProperties"] is False
    required = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING} - {"kind"}
    assert required <= set(shape["required"]) - {"kind"} <= names
    described = {name for name, said in properties.items() if "description" in _resolved(said)}
    assert described == names


def _resolved(said: dict[str, Any]) -> dict[str, Any]:
    named: dict[str, dict[str, Any]] = {**RECORDS["$defs"], **SUMMARY["$defs"]}
    return named[said["$ref"].rpartition("/")[2]] | said if "$ref" in said else said


def test_the_words_of_the_schemas_are_those_of_the_tables() -> None:
    """Outcomes and verdicts are listed once, in core, and the schemas agree."""
    requirement, load = SUMMARY["$defs"]["requirement"]["properties"], SUMMARY["$defs"]["load"]["properties"]
    assert set(requirement["outcome"]["enum"]) == set(OUTCOMES)
    assert set(RECORDS["$defs"]["record"]["properties"]["outcome"]["enum"]) == set(LOAD_OUTCOMES)
    assert set(load["outcomes"]["properties"]) == set(LOAD_OUTCOMES) - {"cancelled", "dropped", "lost"}
    ends = {code: word for code, (word, _) in EXIT_CODES.items() if code != 2}  # a usage error leaves no run
    assert set(SUMMARY["properties"]["exit_code"]["enum"]) == set(ends)
    assert set(SUMMARY["properties"]["verdict"]["enum"]) == set(ends.values())


@pytest.mark.parametrize("name", schemas.profiles())
def test_both_schemas_describe_what_is_told_of_a_target(name: str) -> None:
    """What a target tells about itself fits the schemas, which agree on it."""
    assert RECORDS["$defs"]["target"] == SUMMARY["$defs"]["target"]
    told = profile_target(name).describe()
    Draft202012Validator({**SUMMARY, **SUMMARY["$defs"]["target"]}).validate(told)
    assert told.keys() <= SUMMARY["$defs"]["target"]["properties"].keys()


def test_a_sample_run_fits_the_schemas(tmp_path: Path) -> None:
    """Every line of a run's file, and its summary, fit their schemas as they lie on the disk."""
    sample_run.write_run(tmp_path, iter([*sample_run.check_records(20), *sample_run.load_records(200)]))
    for text in (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines():
        LINE.validate(json.loads(text))
    sample_run.summary().write(tmp_path)
    WHOLE.validate(json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")))


def test_a_lone_surrogate_from_a_server_can_be_written(tmp_path: Path) -> None:
    """A server may answer "\\ud800", which UTF-8 cannot hold: both files are written, and read back the same."""
    summary = sample_run.summary(load=False)
    summary.write(tmp_path)
    assert Summary.read(tmp_path) == summary
    finding = Finding("error.envelope", False, actual=sample_run.HOSTILE)
    with RunWriter(tmp_path, Header("0.1.0", "check", "", {}, 1), Redactor()) as writer:
        writer.add(finding)
    assert list(RunFile(tmp_path).findings()) == [finding]


def test_a_line_with_an_unknown_field_or_kind_is_no_valid_line() -> None:
    """The schemas are closed, so that a field without a description can't slip in."""
    record = json.loads(encode(next(sample_run.check_records(1))))
    assert LINE.is_valid(record)
    for wrong in (record | {"colour": "red"}, record | {"kind": "postcard"}, record | {"phase": "later"}):
        assert not LINE.is_valid(wrong)


@pytest.mark.parametrize(("kind", "shape"), SHAPES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_docs_name_every_field(kind: type[Any], shape: dict[str, Any]) -> None:
    """docs/reports.md has each field of each dataclass that is written."""
    page = (Path(__file__).parent.parent / "docs" / "reports.md").read_text(encoding="utf-8")
    assert not [name for name in shape["properties"] if f"`{name}`" not in page], kind
