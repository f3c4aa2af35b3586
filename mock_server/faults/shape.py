"""The shapes that many faults share: which answers they touch, and what they do to a wrong field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testcard.mock_server.faults.fault import Fault, Fields
from testcard.mock_server.message import Answer, Call, Order
from testcard.mock_server.promise import Promise
from testcard.mock_server.refusal import Refusal

AnswerChange = Callable[[Answer, Call], Answer]
FieldsChange = Callable[[Fields, Call], Fields]
Wrong = Callable[[Fields, Promise], bool]

EVERY = 4
"""Faults of a busy server strike every fourth valid generation, so that a repetition succeeds."""


def where(applies: Callable[[Answer, Call], bool], change: Callable[[Answer], Answer]) -> AnswerChange:
    """Change only the answers to which it applies."""
    return lambda answer, call: change(answer) if applies(answer, call) else answer


def pictures(change: Callable[[Answer], Answer]) -> AnswerChange:
    """Change every 200 that brings pictures."""
    return where(lambda answer, _: answer.order is not None, change)


def everywhere(change: Callable[[Answer], Answer]) -> AnswerChange:
    """Change every answer that has a body."""
    return where(lambda answer, _: answer.status != 204, change)


def errors(change: Callable[[Answer], Answer], *statuses: int) -> AnswerChange:
    """Change every error, or those of the statuses given."""
    return where(lambda answer, _: answer.status in statuses if statuses else answer.status >= 400, change)


def with_error(answer: Answer, **members: Any) -> Answer:
    """The error with these members in place of its own; ... takes one away.

    What is no longer in the envelope, thanks to another fault, stays as it is.
    """
    if not isinstance(answer.document, dict) or not isinstance(answer.document.get("error"), dict):
        return answer
    error = {**answer.document["error"], **members}
    return replace(answer, document={"error": {name: value for name, value in error.items() if value is not ...}})


def message(answer: Answer) -> str:
    """What the error says, wherever it stands."""
    try:
        return str(answer.document["error"]["message"])
    except (KeyError, TypeError):
        return "Something went wrong."


def headers(**lines: str | None) -> Callable[[Answer], Answer]:
    """Set header lines, or take them away; an underscore stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in lines.items()}
    return lambda answer: answer.with_headers(named)


def lacks(name: str) -> Wrong:
    """Whether the field is left out or null."""
    return lambda fields, _: fields.get(name) is None


def has(name: str, wrong: Callable[[Any], bool]) -> Wrong:
    """Whether the field is there, is not null, and is wrong in this way."""
    return lambda fields, _: fields.get(name) is not None and wrong(fields[name])


def always(value: Any) -> Callable[[Fields, Promise], Any]:
    """The same value, whatever the body holds."""
    return lambda _, __: value


def refuse(wrong: Wrong, status: int = 500, message: str = "Something went wrong.") -> FieldsChange:
    """Answer such bodies with this status."""

    def change(fields: Fields, call: Call) -> Fields:
        if wrong(fields, call.promise):
            raise Refusal(status, message)
        return fields

    return change


def mend(wrong: Wrong, **values: Callable[[Fields, Promise], Any]) -> FieldsChange:
    """Serve such bodies as if they had held these values."""

    def change(fields: Fields, call: Call) -> Fields:
        if not wrong(fields, call.promise):
            return fields
        return fields | {name: value(fields, call.promise) for name, value in values.items()}

    return change


def crash(wrong: Callable[[bytes], bool]) -> Callable[[Call, None], Call]:
    """Answer a generation with such a body with 500."""

    def change(call: Call, _: None) -> Call:
        if call.asks_for_pictures and wrong(call.body):
            raise Refusal(500, "The body could not be parsed.")
        return call

    return change


def generate_row(
    requirement: str,
    name: str,
    describe: str,
    fields: FieldsChange | None = None,
    admitted: Callable[[Call, None], Call] | None = None,
) -> Fault:
    """A fault of what is accepted and what is refused."""
    return Fault(name=name, breaks=(f"generate.{requirement}",), describe=describe, fields=fields, admitted=admitted)


def now_and_then(status: int, slug: str | None = None, **lines: str) -> Callable[[Order, Call], Order]:
    """Answer every fourth valid generation with an error; an underscore in a header stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in lines.items()}

    def change(order: Order, call: Call) -> Order:
        seen = call.memory[f"orders-{status}"] = call.memory.get(f"orders-{status}", 0) + 1
        if seen % EVERY == 0:
            raise Refusal(status, "The upstream is having a bad moment.", slug=slug, headers=named)
        return order

    return change
