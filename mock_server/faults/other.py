"""Faults of request ids, of the list of models, and towards the official SDKs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.faults.shape import errors, headers, where
from testcard.mock_server.message import MODELS, Answer, Call
from testcard.mock_server.refusal import Refusal


def _listed(change: Callable[[Any], Any]) -> Callable[[Answer, Call], Answer]:
    def rewritten(answer: Answer, call: Call) -> Answer:
        if call.path != MODELS or answer.status != 200:
            return answer
        return replace(answer, document=change(answer.document))

    return rewritten


def _models_crash(call: Call, _: None) -> Call:
    if call.path == MODELS:
        raise Refusal(500, "The list of models could not be read.")
    return call


def _other_model(document: Any) -> Any:
    return {**document, "data": [{**model, "id": "another-model"} for model in document["data"]]}


def _without_ids(document: Any) -> Any:
    return {
        **document,
        "data": [{name: value for name, value in model.items() if name != "id"} for model in document["data"]],
    }


def _created_in_words(document: Any) -> Any:
    return {**document, "data": [{**model, "created": "2026-01-14"} for model in document["data"]]}


def _by_any_name(answer: Answer, call: Call) -> Answer:
    if not call.path.startswith(f"{MODELS}/") or call.method != "GET" or answer.status != 404:
        return answer
    return replace(answer, status=200, document={"id": call.path.removeprefix(f"{MODELS}/"), "object": "model"})


def _no_charset(call: Call, _: None) -> Call:
    if call.asks_for_pictures and "charset" in call.headers.get("content-type", "").lower():
        raise Refusal(415, "The body has to be application/json.")
    return call


def _no_stainless(call: Call, _: None) -> Call:
    if call.asks_for_pictures and any(name.startswith("x-stainless-") for name in call.headers):
        raise Refusal(400, "The request has headers that are not documented.")
    return call


def _id_decoded(answer: Answer, call: Call) -> Answer:
    """The client's id as it would be after a decoder that knows no better, with the header lines in it."""
    lines = unquote(call.headers.get("x-request-id", "")).split("\r\n")[1:]
    pairs = [line.partition(":") for line in lines if ":" in line]
    return answer.with_headers({name: value.strip() for name, _, value in pairs})


def _long_id(call: Call, _: None) -> Call:
    if len(call.headers.get("x-request-id", "")) > 128:
        raise Refusal(500, "value too long for type character varying(128)")
    return call


FAULTS = (
    Fault(
        name="request-id-injects",
        breaks=("identity.request-id-safe",),
        describe="A line break that is encoded in the client's X-Request-Id makes a header line of the answer.",
        answer=_id_decoded,
    ),
    Fault(
        name="request-id-long-500",
        breaks=("identity.request-id-safe",),
        describe="A long X-Request-Id is answered with 500.",
        arrival=_long_id,
    ),
    Fault(
        name="request-id-missing",
        breaks=("identity.request-id",),
        describe="Answers carry no x-request-id.",
        answer=lambda answer, _: answer.with_headers({"x-request-id": None}),
    ),
    Fault(
        name="request-id-constant",
        breaks=("identity.request-id", "identity.request-id-echoed"),
        describe="All answers carry the same x-request-id.",
        answer=lambda answer, _: answer.with_headers({"x-request-id": "req_0"}),
    ),
    Fault(
        name="request-id-second",
        breaks=("identity.request-id", "identity.request-id-echoed"),
        describe="The x-request-id is made of the time in whole seconds.",
        answer=lambda answer, _: answer.with_headers({"x-request-id": f"img_gen_{int(time.time())}"}),
    ),
    Fault(
        name="request-id-not-echoed",
        breaks=("identity.request-id-echoed",),
        describe="Answers carry an x-request-id of the server's own, whatever the client sent.",
        answer=lambda answer, _: answer.with_headers({"x-request-id": f"req_{uuid4().hex}"}),
    ),
    Fault(
        name="models-500",
        breaks=("models.list",),
        describe="The list of models is answered with 500.",
        admitted=_models_crash,
    ),
    Fault(
        name="models-bare-array",
        breaks=("models.list",),
        describe="The list of models is without an object around it.",
        answer=_listed(lambda document: document["data"]),
    ),
    Fault(
        name="models-without-ids",
        breaks=("models.list",),
        describe="The models of the list have no id.",
        answer=_listed(_without_ids),
    ),
    Fault(
        name="models-created-words",
        breaks=("models.members",),
        describe="The models of the list have their date as a text.",
        answer=_listed(_created_in_words),
    ),
    Fault(
        name="model-by-any-name",
        breaks=("models.unknown",),
        describe="Whatever model is asked for by its name is there.",
        answer=_by_any_name,
    ),
    Fault(
        name="model-not-listed",
        breaks=("models.target-listed",),
        describe="The model is served and not listed.",
        answer=_listed(_other_model),
    ),
    Fault(
        name="charset-refused",
        breaks=("transport.head-form",),
        describe="A request labelled application/json; charset=utf-8 is refused.",
        admitted=_no_charset,
    ),
    Fault(
        name="sdk-headers-refused",
        breaks=("sdk.request-form",),
        describe="A request with the headers of the official SDKs is refused.",
        admitted=_no_stainless,
    ),
    Fault(
        name="refusals-advise-retry",
        breaks=("sdk.retries",),
        describe="Refused bodies carry x-should-retry: true, so the official SDKs send them again.",
        answer=errors(headers(x_should_retry="true"), 400, 422),
    ),
    Fault(
        name="wallet-error-in-200",
        breaks=("sdk.errors", "error.empty-wallet"),
        describe="An empty wallet is told in a 200, which the official SDKs take for a success.",
        answer=where(lambda answer, _: answer.status == 402, lambda answer: replace(answer, status=200)),
    ),
)
