"""Reads the body of a generation by hand, and names the field that is at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testcard.core.strictjson import parse
from testcard.mock_server.message import Call, Order
from testcard.mock_server.promise import Promise
from testcard.mock_server.refusal import Refusal

MOST_BYTES = 1024 * 1024
"""A longer body is refused with 413."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a field is refused."""

    field: str
    message: str


def fields_of(call: Call) -> Fields:
    """The body as a JSON object.

    Raises:
        Refusal: 413, 415 or 400: too long, not labelled as JSON, not JSON, or not an object.
    """
    if len(call.body) > MOST_BYTES:
        raise Refusal(413, f"The body is longer than {MOST_BYTES} bytes.")
    label = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if label != "application/json" and not label.endswith("+json"):
        raise Refusal(415, f"The body is labelled {label or 'nothing'}; send application/json.")
    value, problem = parse(call.body)
    if problem is not None:
        raise Refusal(400, f"The body cannot be read: {problem}.")
    if not isinstance(value, dict):
        raise Refusal(400, "The body must be a JSON object.")
    return value


def problems(fields: Fields, promise: Promise) -> list[Problem]:
    """Everything that is wrong with the fields, in the order of the documentation.

    Unknown fields are ignored.
    """
    found = []
    for name, check in _CHECKS.items():
        message = check(fields, promise)
        if message is not None:
            found.append(Problem(name, message))
    return found


def order_of(fields: Fields, promise: Promise) -> Order:
    """The order that the fields make; null counts as left out where there is a default.

    Raises:
        Refusal: 400, naming the first field that is at fault.
    """
    wrong = problems(fields, promise)
    if wrong:
        raise Refusal(400, wrong[0].message, param=wrong[0].field)
    size = fields.get("size")
    return Order(
        prompt=fields["prompt"],
        model=fields["model"],
        n=1 if fields.get("n") is None else fields["n"],
        size=promise.default_size if size in (None, "auto") else size,
        format=fields.get("response_format") or promise.default_format,
    )


def is_integer(value: object) -> bool:
    """Whether a JSON value is an integer; true is not, though Python says so."""
    return isinstance(value, int) and not isinstance(value, bool)


def _model(fields: Fields, promise: Promise) -> str | None:  # noqa: ARG001 (one shape for all checks)
    if "model" not in fields:
        return "`model` is missing."
    return None if isinstance(fields["model"], str) else "`model` must be a string."


def _prompt(fields: Fields, promise: Promise) -> str | None:  # noqa: ARG001 (one shape for all checks)
    if "prompt" not in fields:
        return "`prompt` is missing."
    if not isinstance(fields["prompt"], str):
        return "`prompt` must be a string."
    return None if fields["prompt"] else "`prompt` must not be empty."


def _n(fields: Fields, promise: Promise) -> str | None:
    n = fields.get("n")
    if n is None or (is_integer(n) and 1 <= n <= promise.max_n):
        return None
    return f"`n` must be an integer between 1 and {promise.max_n}."


def _size(fields: Fields, promise: Promise) -> str | None:
    size = fields.get("size")
    if size is None or (isinstance(size, str) and size in (*promise.sizes, "auto")):
        return None
    return f"`size` must be one of {', '.join(promise.sizes)}."


def _response_format(fields: Fields, promise: Promise) -> str | None:
    wanted = fields.get("response_format")
    if wanted is None or (isinstance(wanted, str) and wanted in promise.formats):
        return None
    return f"`response_format` must be one of {', '.join(promise.formats)}."


def _quality(fields: Fields, promise: Promise) -> str | None:
    wanted = fields.get("quality")
    if wanted is None or (isinstance(wanted, str) and wanted in promise.qualities):
        return None
    return f"`quality` must be one of {', '.join(promise.qualities)}."


_CHECKS: Mapping[str, Callable[[Fields, Promise], str | None]] = {
    "model": _model,
    "prompt": _prompt,
    "n": _n,
    "size": _size,
    "response_format": _response_format,
    "quality": _quality,
}
