# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in the envelope of a success, that no judge was written against."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import MODEL, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# The success envelope.


@defect("response.created")
class IsoDate(Wild):
    """stable-diffusion.cpp 1202."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": datetime.now(UTC).isoformat(), "data": items}


@defect("response.created")
class Milliseconds(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time() * 1000), "data": items}


@defect("response.created")
class Fractions(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) + 0.25, "data": items}


@defect("response.created")
class LocalTime(Wild):
    """Seconds of a clock that stands in another zone."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) + 7200, "data": items}


@defect("response.created")
class Astronomical(Wild):
    """An integer beyond any float."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": 10**400, "data": items}


@defect("response.created", "models.members")
class BeyondFloat(Wild):
    """A number that a float reader makes infinite."""

    def encode(self, document: Any) -> bytes:
        return super().encode(document).replace(b'"created": 1', b'"created": 1e400, "was": 1')


@defect("response.created")
class NoCreated(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"id": "x", "model": MODEL, "object": "list", "data": items}


@defect("response.created")
class CreatedAtStart(Wild):
    """The time at which the server was started."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"created": int(time.time()) - 86400 * 3, "data": items}


@defect("response.data")
class BareArray(Wild):
    """Open WebUI."""

    def generate(self, ask: Ask) -> Reply:
        reply = super().generate(ask)
        body = json.loads(reply.body)
        return reply if ask.path == "/models" else self.reply(body["data"])


@defect("response.data", "response.created")
class Wrapped(Wild):
    """An envelope of the gateway around that of the API."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {"success": True, "result": super().success(items, ask), "errors": []}


@defect("response.data")
class OneItemUnlisted(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | ({"data": items[0]} if len(items) == 1 else {})


@defect("response.data")
class ListOfStrings(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"data": [next(iter(item.values())) for item in items]}


@defect("response.data")
class ModeratedAway(Wild):
    """xAI: a moderated prompt is a 200 without a picture."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        moderated = "\u732b" in ask.fields["prompt"]
        return super().success([] if moderated else items, ask)


@defect("response.no-error")
class ErrorInSuccess(Wild):
    """OpenRouter: once generation has begun, failures are 200s."""

    def generate(self, ask: Ask) -> Reply:
        if ask.fields.get("n", 1) > 1:
            return self.reply({"error": {"message": "The provider failed.", "type": "server_error"}})
        return super().generate(ask)


@defect("response.no-error")
class ErrorNextToData(Wild):
    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"error": {"message": "One of them failed.", "type": "partial"}}


@defect("response.one-representation")
class NullBeside(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return {"url": None, "b64_json": None} | super().item(data, form, ask)


@defect("response.one-representation")
class BothForms(Wild):
    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, "url", ask) | super().item(data, "b64_json", ask)
