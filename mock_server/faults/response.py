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


def _in_items(**members: Any) -> Callable[[Any, Order], Any]:
    return lambda document, _: {**document, "data": [{**item, **members} for item in document["data"]]}


def _in_lists(document: Any, _: Order) -> Any:
    items = [
        {**item, "b64_json": [item["b64_json"]]} if "b64_json" in item else {**item, "b64_json": []}
        for item in document["data"]
    ]
    return {**document, "data": items}


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
    _row(
        "item-types", "revised-prompt-object", "revised_prompt is an object.", _in_items(revised_prompt={"text": "x"})
    ),
    _row("item-types", "b64-in-list", "b64_json is a list of strings.", _in_lists),
    _row("no-null", "revised-prompt-null", "revised_prompt is null.", _in_items(revised_prompt=None)),
    _row("no-null", "usage-null", "usage is null.", _with(usage=None)),
    _row("echo-true", "echo-size", "A 200 names another size than the picture has.", _with(size="256x256")),
    _row("echo-true", "echo-format", "A 200 names WebP and brings PNG.", _with(output_format="webp")),
    _row("echo-true", "echo-media-type", "An item names JPEG and is PNG.", _in_items(media_type="image/jpeg")),
    _row("echo-true", "echo-n", "A 200 names another number of pictures than it brings.", _with(n=7)),
    _row("model-echo", "echo-model", "A 200 names another model.", _with(model="some-lab/some-cheaper-model")),
    _row("usage", "usage-strings", "The counts of usage are strings.", _with(usage={"total_tokens": "12"})),
    _row(
        "usage",
        "usage-sum",
        "The parts of usage are more than its total.",
        _with(usage={"input_tokens": 10, "output_tokens": 4096, "total_tokens": 10}),
    ),
    _row("usage", "usage-images", "usage counts other pictures than came.", _with(usage={"generated_images": 0})),
    _row(
        "no-internals",
        "file-path",
        "An item shows where its picture lies on the server.",
        _in_items(file_path="/sgl-workspace/outputs/7.png"),
    ),
    _row(
        "no-internals",
        "upstream-address",
        "A 200 shows the address of the upstream server.",
        _with(debug={"upstream": ["http://10.3.0.7:8188/view?filename=out.png"]}),
    ),
)
