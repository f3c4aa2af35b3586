"""An exchange as the judges look at it: what was asked, what came, its pictures inspected once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from testcard.conformance.contract import Contract
from testcard.conformance.picture import Inspection, inspect, strict_base64
from testcard.core.exchange import Exchange, Request, Response
from testcard.core.record import Finding

OPEN_FORMS = frozenset(
    {"generate.model-malformed", "generate.prompt-odd", "generate.unnamed-form", "transport.other-content-type"}
)
"""Forms that the contract does not name, in bodies that it forbids: who accepts those breaks another requirement."""

_ATTEMPTS_BILLED = 3
_ATTEMPTS_FREE = 5
_ATTEMPTS_TOGETHER = 2


def attempts(request: Request) -> int:
    """How often a request is sent before a transient error counts as the server's answer to it.

    A good request three times, as the interface says; any other more often, since an error that lasts is then held
    against the server.
    """
    if request.in_the_clear:
        return 1  # that nobody listens there is a good answer
    if request.parts and request.may_refuse:
        return _ATTEMPTS_TOGETHER  # its parts are asked alone before anything is held against anyone
    must_succeed = request.requirement is not None and not request.may_refuse
    return _ATTEMPTS_BILLED if must_succeed else _ATTEMPTS_FREE


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of an answer."""

    index: int
    inspection: Inspection
    base64_problem: str | None = None
    fetch: Exchange | None = None

    @property
    def where(self) -> str:
        return f"data[{self.index}]"

    @property
    def size(self) -> str | None:
        """Width and height as a viewer shows them, in words; None where they could not be read."""
        shown, turned = self.inspection.shown_px, self.inspection.turned
        if shown is None:
            return None
        stored = f" (stored as {shown[1]}x{shown[0]}, and turned by its EXIF orientation)" if turned else ""
        return f"{shown[0]}x{shown[1]}{stored}"


class Evidence:
    """What one exchange has to show. Everything is computed at most once."""

    def __init__(self, exchange: Exchange, contract: Contract, *, full: bool = True) -> None:
        self.exchange = exchange
        self.contract = contract
        self.full = full
        """Whether to look at everything, however long that takes; under load it is a sample that is."""

    @property
    def request(self) -> Request:
        return self.exchange.request

    @property
    def response(self) -> Response | None:
        return self.exchange.response

    @property
    def status(self) -> int | None:
        return self.exchange.status

    @cached_property
    def final(self) -> bool:
        """Whether the answer stands: it is not one that a repetition may still replace."""
        return not transient(self.exchange) or self.exchange.attempt >= attempts(self.request)

    @cached_property
    def fields(self) -> dict[str, Any]:
        return self.request.fields

    @cached_property
    def form(self) -> str:
        """The representation that the request asks for, or the target's default."""
        asked = self.fields.get("response_format")
        if isinstance(asked, str):
            return asked
        if "response_formats" in self.contract.assumed and self.data:  # url or, from GPT image models, always base64
            return "b64_json" if isinstance(self.data[0].get("b64_json"), str) else "url"
        return self.contract.target.default_response_format

    @property
    def good(self) -> bool:
        """A request that a server of the contract must, or may, answer with pictures."""
        return self.request.to_generate and self.request.credentialed and not self.request.violations

    @property
    def generated(self) -> bool:
        """A 200 to a good request: what pictures are looked for in."""
        return self.good and self.status == 200

    @cached_property
    def data(self) -> list[dict[str, Any]] | None:
        """The items of a 200 to a good request; None where there is no such list."""
        body = self.response.json if self.generated and self.response else None
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, list) or not data or not all(isinstance(item, dict) for item in data):
            return None
        return data

    @cached_property
    def pictures(self) -> tuple[Item, ...]:
        """The pictures that came, inline or fetched."""
        fetches = iter(self.exchange.media)
        alone = len(self.data or ()) < 2 and not self.full  # in full it is compared with those of other answers
        found = []
        for index, item in enumerate(self.data or ()):
            fetch = next(fetches, None) if isinstance(item.get("url"), str) else None
            inline = isinstance(item.get("b64_json"), str)
            if inline and (self.form == "b64_json" or fetch is None):
                data, problem = strict_base64(item["b64_json"])
                if data is not None:
                    found.append(Item(index, inspect(data, full=self.full, alone=alone), problem))
                else:
                    found.append(Item(index, inspect(b"", full=False), problem))
            elif fetch is not None and fetch.response is not None and fetch.response.status == 200:
                found.append(Item(index, inspect(fetch.response.body, full=self.full, alone=alone), None, fetch))
        return tuple(found)


def transient(exchange: Exchange) -> bool:
    """Whether a repetition may get another answer: a 429, a 5xx, a connection that closed without an answer."""
    if exchange.response is None:
        return exchange.failure is not None and exchange.failure.kind in ("closed", "connect")
    return exchange.response.status == 429 or exchange.response.status >= 500


@cache
def held(requirement: str) -> Finding:
    return Finding(requirement, held=True)


def broken(requirement: str, expected: str, actual: str) -> Finding:
    return Finding(requirement, held=False, expected=expected, actual=actual)


def finding(requirement: str, holds: bool, expected: str, actual: str) -> Finding:
    """Held, or broken with what was expected and what came."""
    return held(requirement) if holds else broken(requirement, expected, actual)


def answer(evidence: Evidence) -> str:
    """An answer in a few words: `200 with 1 picture 512x512`, `400 invalid_request_error`, `no answer: …`."""
    exchange = evidence.exchange
    if exchange.response is None:
        return f"no answer: {exchange.failure.message}" if exchange.failure else "no answer"
    status = exchange.response.status
    body = exchange.response.json
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return f"{status} {body['error'].get('type', 'without a type')}: {str(body['error'].get('message', ''))[:160]}"
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        return f"{status} with {len(body['data'])} item{'s' if len(body['data']) != 1 else ''} in data"
    kind = exchange.response.media_type or "no Content-Type"
    return f"{status} ({kind}, {len(exchange.response.body)} bytes)"
