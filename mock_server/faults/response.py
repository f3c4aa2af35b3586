"""Faults of the document that brings the pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testcard.mock_server.faults.fault import Fault, Item
from testcard.mock_server.message import Order

_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""


def _created(value: Callable[[int], Any]) -> Callable[[Any, Order], Any]:
    return lambda document, _: {**document, "created": value(document["created"])}


def _without(name: str) -> Callable[[Any, Order], Any]:
    return lambda document, _: {member: value for member, value in document.items() if member != name}


def _with(**members: Any) -> Callable[[Any, Order], Any]:
    return lambda document, _: {**document, **members}


def _both(item: Item, order: Order) -> Item:
    if order.format == "url":
        return item | {"b64_json": _PICTURE}
    return item | {"url": "http://127.0.0.1/also.png"}


def _null(item: Item, order: Order) -> Item:
    return item | {"b64_json" if order.format == "url" else "url": None}


def _row(requirement: str, name: str, describe: str, generated: Callable[[Any, Order], Any]) -> Fault:
    return Fault(name=name, breaks=(f"response.{requirement}",), describe=describe, generated=generated)


FAULTS = (
    _row("data", "data-empty-list", "A 200 brings an empty list.", _with(data=[])),
    _row("data", "data-missing", "A 200 has no data.", _without("data")),
    _row(
        "data",
        "data-of-strings",
        "data is a list of strings.",
        lambda document, _: {
            **document,
            "data": [value for item in document["data"] for value in item.values()],
        },
    ),
    _row(
        "data",
        "bare-array",
        "A 200 is the list itself, without an object around it.",
        lambda document, _: document["data"],
    ),
    _row("created", "created-missing", "A 200 has no created.", _without("created")),
    _row("created", "created-ms", "created counts milliseconds.", _created(lambda seconds: seconds * 1000)),
    _row("created", "created-float", "created is a fraction.", _created(lambda seconds: seconds + 0.25)),
    _row("created", "created-string", "created is a string.", _created(str)),
    _row("created", "created-stale", "created is a day old.", _created(lambda seconds: seconds - 86_400)),
    _row(
        "no-error",
        "error-in-200",
        "A 200 carries an error.",
        _with(error={"message": "The safety filter removed a picture.", "type": "server_error"}),
    ),
    Fault(
        name="both-representations",
        breaks=("response.one-representation",),
        describe="An item carries b64_json and url.",
        item=_both,
    ),
    Fault(
        name="null-representation",
        breaks=("response.one-representation",),
        describe="An item carries the other representation as null.",
        item=_null,
    ),
)
