"""Answers that are alike are judged once: every record is what judging each answer by itself would have made it."""

from __future__ import annotations

import base64
import inspect as source
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from loaded import png
from testcard.conformance import Contract, likeness, ratelimit, retryafter
from testcard.conformance import judge as judge_room
from testcard.conformance.judge import auth, echo, error, generate, identity, image, limit, media, models, transport
from testcard.conformance.judge import response as response_judge
from testcard.conformance.likeness import AS_IT_CAME
from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.load.brief import Brief
from testcard.load.handover import Planned
from testcard.load.judging import Recorder

KEY = "sk-alike-0123456789"
NOW = 1_700_000_000.25
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
TARGET = replace(profile_target("mock"), base_url="http://127.0.0.1:9/v1", public_keys={})
PLANNED = Planned("measured", "", "64x48")
FIELDS = {"model": TARGET.model, "n": 1, "size": "64x48", "response_format": "b64_json"}


def _text(index: int) -> str:
    return base64.b64encode(png(64, 48, index)).decode()


def usual(index: int, **changes: Any) -> Exchange:
    """A good answer, as thousands are; no two have the same picture, id, prompt or span."""
    request_id = f"6f9619ff-8b86-4011-b42d-{index:012x}"
    body: Any = {"created": int(NOW), "data": [{"b64_json": _text(index)}]}
    body = changes.pop("body", lambda body: body)(body)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Date": DATE, "Content-Length": str(len(data)),
               "X-Request-Id": request_id, "X-Ratelimit-Limit-Requests": "600",
               "X-Ratelimit-Remaining-Requests": str(500 - index), "X-Trace": f"{index}",
               **changes.pop("headers", {})}  # fmt: skip
    fields = {**FIELDS, "prompt": f"a lighthouse, variation {index}", **changes.pop("fields", {})}
    exchange = Exchange(
        Request(f"load steady, arrival {index}", body=json.dumps(fields).encode(), images=1), index,
        f"{TARGET.base_url}/images/generations", request_id,
        (("Accept-Encoding", "identity"), ("X-Request-Id", request_id)), "2023-11-14T22:13:20.000Z",
        index / 100, index / 100 + 0.001, index / 100 + 0.05, index / 100 + 0.06,
        Response(changes.pop("status", 200), tuple(headers.items()), data), received_at=NOW,
    )  # fmt: skip
    return replace(exchange, **changes)


def _item(**members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {**body, "data": [{**body["data"][0], **members}]}


def _with(**members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {**body, **members}


def _bytes(old: bytes, new: bytes) -> Callable[[dict[str, Any]], bytes]:
    return lambda body: json.dumps(body).encode().replace(old, new, 1)


PICTURE = png(64, 48, 7)
FLIPPED = PICTURE[:200] + bytes([PICTURE[200] ^ 1]) + PICTURE[201:]
UNUSUAL: dict[str, dict[str, Any]] = {
    "a checksum": {"body": _item(b64_json=base64.b64encode(FLIPPED).decode())},
    "a cut": {"body": _item(b64_json=base64.b64encode(PICTURE[:-20]).decode())},
    "another size": {"body": _item(b64_json=base64.b64encode(png(48, 64, 1)).decode())},
    "something behind the picture": {"body": _item(b64_json=base64.b64encode(PICTURE + b"xyz").decode())},
    "the other alphabet": {"body": _item(b64_json=_text(3).replace("+", "-").replace("/", "_"))},
    "no padding": {"body": _item(b64_json=_text(3).rstrip("=") + "A")},
    "a line break": {"body": _item(b64_json=_text(3)[:64] + "\n" + _text(3)[64:])},
    "a slash that is escaped": {"body": _bytes(b"/", b"\\/")},
    "a name that is escaped": {"body": _bytes(b"b64_json", b"b64\\u005fjson")},
    "a name twice": {"body": _bytes(b'{"b64_json"', b'{"b64_json": "", "b64_json"')},
    "an empty picture": {"body": _item(b64_json="")},
    "no picture": {"body": _item(b64_json=None)},
    "two for one": {"body": lambda body: {**body, "data": [*body["data"], {"b64_json": _text(99)}]}},
    "the same twice": {"body": lambda body: {**body, "data": body["data"] * 2}, "fields": {"n": 2}},
    "an old answer": {"body": _with(created=int(NOW) - 400)},
    "no created": {"body": lambda body: {"data": body["data"]}},
    "an error beside it": {"body": _with(error={"message": "no", "type": "x"})},
    "an echo that is wrong": {"body": _with(size="512x512")},
    "an echo that is right": {"body": _with(size="64x48")},
    "a prompt": {"body": _item(revised_prompt="a lighthouse, variation 3")},
    "a prompt, spelt in another way": {"body": _bytes(b'"created"', b'"pr\\u006fmpt": "x", "created"')},
    "a path of the server's": {"body": _with(note="/home/runner/app.py")},
    "a decoy of a picture": {"body": lambda body: {"b64_json": _text(5), **body}},
    "something behind the JSON": {"body": _bytes(b"}]}", b"}]} x")},
    "a body that is cut": {"body": lambda body: json.dumps(body).encode()[:-1]},
    "another type": {"headers": {"Content-Type": "text/html"}},
    "no id": {"headers": {"X-Request-Id": ""}},
    "another's id": {"headers": {"X-Request-Id": "6f9619ff-8b86-4011-b42d-000000000999"}},
    "a limit that is none": {"headers": {"X-Ratelimit-Remaining-Requests": "700"}},
    "a date that is none": {"headers": {"Date": "today"}},
    "a path in a header": {"headers": {"X-Trace": "/srv/app/worker.py"}},
    "an address in a header": {"headers": {"X-Trace": "http://10.0.0.7/x"}},
    "a key in a header": {"headers": {"X-Trace": KEY}},
    "a key in the body": {"body": _with(note=KEY)},
    "two lengths": {"headers": {"Transfer-Encoding": "chunked"}},
    "a coding": {"headers": {"Content-Encoding": "br"}},
    "its own time": {"headers": {"Server-Timing": "gpu;dur=12.5, total;dur=40"}},
    "another status": {"status": 201},
    "a refusal": {"status": 429, "body": lambda _: {"error": {"message": "slow down", "type": "rate_limit_exceeded"}}},
    "more asked for": {"fields": {"n": 2}},
    "another size asked for": {"fields": {"size": "512x512"}},
    "asked without a form": {"fields": {"response_format": "url"}},
    "another attempt": {"attempt": 2},
    "a clock that runs on": {"received_at": NOW + 301},
    "a line that ends in another way": {"bare_lf": True},
    "a key that was seen": {"secrets_seen": ("the body",)},
    "nothing": {"response": None, "failure": Failure("timeout", "no answer within 1 s")},
    "half": {"failure": Failure("framing", "cut")},
}


class _Forgetful:
    """What remembers nothing, in place of Alike."""

    def learn(self, *_: object) -> None:
        return

    def line(self, *_: object) -> None:
        return


def _recorder(monkeypatch: pytest.MonkeyPatch, *, every: int = 10**9) -> Recorder:
    monkeypatch.setenv("TESTCARD_API_KEY", KEY)
    plan = plan_load(TARGET, rate_per_s=10.0, duration_s=1.0, warmup_s=0.0, size="512x512")
    return Recorder(Brief(plan, TARGET, Path(), 0.0, 0), 0, every)


def _judged(recorder: Recorder, judged: list[int]) -> Recorder:
    """The same recorder, whose judge notes what it is asked."""
    inner = recorder._judged

    def noting(exchange: Exchange) -> Any:
        judged.append(exchange.number)
        return inner(exchange)

    recorder._judged = noting  # type: ignore[method-assign]  # only in this test
    return recorder


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_differs_is_judged_by_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between good answers that are alike, one that is not: every record is as if nothing had been remembered."""

    def exchanges() -> Iterator[Exchange]:
        for index in range(1, 4):
            yield usual(index)
        yield usual(4, **UNUSUAL[name])
        yield usual(5)
        yield usual(6, **UNUSUAL[name])
        yield usual(7)

    sent = list(exchanges())
    remembering, forgetting = _recorder(monkeypatch), _recorder(monkeypatch)
    monkeypatch.setattr(forgetting, "_alike", _Forgetful())
    lines = [[recorder.line(PLANNED, each) for each in sent] for recorder in (remembering, forgetting)]
    assert lines[0] == lines[1]
    assert KEY.encode() not in b"".join(lines[0])


def test_what_is_alike_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred good answers one is judged, and those that are judged in full; another second is another look."""
    judged = list[int]()
    recorder = _judged(_recorder(monkeypatch, every=40), judged)
    for index in range(1, 101):
        assert b'"outcome":"valid"' in recorder.line(PLANNED, usual(index))
    assert judged == [1, 40, 80]
    recorder.line(PLANNED, usual(101, received_at=NOW + 1))
    recorder.line(Planned("warmup", "", "64x48"), usual(102))
    assert judged == [1, 40, 80, 101, 102]


def test_nothing_that_is_broken_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same fault in every answer is found in every answer."""
    judged = list[int]()
    recorder = _judged(_recorder(monkeypatch), judged)
    for index in range(1, 9):
        assert b'"broken":[' in recorder.line(PLANNED, usual(index, body=_with(created="now")))
    assert judged == list(range(1, 9))


def test_every_picture_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of one picture of two hundred: its checksum is found wrong, whatever was remembered."""
    recorder = _recorder(monkeypatch)
    dice = Random(3)
    for index in range(1, 200):
        whole = png(64, 48, index)
        place = 41 + dice.randrange(len(whole) - 60)  # in the pixels
        broken = whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :]
        data = broken if index % 20 == 7 else whole
        line = recorder.line(PLANNED, usual(index, body=_item(b64_json=base64.b64encode(data).decode())))
        assert (b'"requirement":"image.decodable"' in line) is (index % 20 == 7), index


_JUDGES: tuple[ModuleType, ...] = (
    auth, echo, error, generate, identity, image, limit, media, models, response_judge, transport, ratelimit,
    retryafter,
)  # fmt: skip
_READ = re.compile(r'\.header\(f?"([^"]+)"\)|name\.lower\(\) == "([^"]+)"')
_ELSEWHERE = {"x-request-id", "content-length", "accept-encoding", "x-ratelimit-{what}", "x-ratelimit-{what}-requests"}
"""What a likeness knows in another way; Accept-Encoding is a header of ours, and stands in it."""


def test_a_likeness_knows_every_header_that_a_judge_reads() -> None:
    """What a judge reads by name stands in the likeness: two that differ in it are not taken for one."""
    read = {one or other for each in _JUDGES for one, other in _READ.findall(source.getsource(each))}
    assert {"date", "cache-control", "location", "retry-after"} <= read
    assert read <= AS_IT_CAME | _ELSEWHERE, "a judge reads a header that conformance/likeness.py leaves out"
    folder = Path(source.getfile(judge_room)).parent
    assert {path.stem for path in folder.glob("*.py")} <= {each.__name__.rpartition(".")[2] for each in _JUDGES} | {
        "__init__", "evidence",
    }  # fmt: skip


def test_only_what_is_right_has_a_likeness() -> None:
    """All usual answers have the same; of the unusual ones those that may be right have another, the others none."""
    contract = Contract.of(TARGET)
    one, other = likeness(usual(1), contract), likeness(usual(2), contract)
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.pictures != other.pictures
    for name, changes in UNUSUAL.items():
        found = likeness(usual(3, **changes), contract)
        assert found is None or found.key != one.key or name in ("its own time", "a key in a header"), name
