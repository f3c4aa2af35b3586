"""Faults of errors: envelope, status, slug, and what they advise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testcard.mock_server.account import Account
from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.faults.shape import errors, headers, message, now_and_then, where, with_error
from testcard.mock_server.message import Answer, Call

_TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/gateway/images.py", line 214, in generate\n'
    "    payload = schema.validate(body)\n"
    "ValueError: body does not match"
)
_JAVA = "java.lang.IllegalStateException\n\tat org.gateway.Images.generate(Images.java:214)"


def _html(answer: Answer) -> Answer:
    page = f"<!doctype html><html><body><h1>{answer.status}</h1><p>{message(answer)}</p></body></html>"
    return replace(answer, raw=page.encode(), media_type="text/html; charset=utf-8")


def _slug(status: int, slug: str) -> dict[str, Any]:
    return {"answer": errors(lambda answer: with_error(answer, type=slug), status)}


def _retry_advice(status: int, **lines: str) -> dict[str, Any]:
    return {"answer": errors(headers(**lines), status)}


def _refuses_with(status: int) -> Callable[[Answer, Call], Answer]:
    def change(answer: Answer, call: Call) -> Answer:
        return replace(answer, status=status) if answer.status == 400 and call.asks_for_pictures else answer

    return change


def _full_wallets(accounts: dict[str, Account], _: None) -> dict[str, Account]:
    return {key: replace(account, wallet_empty=False) for key, account in accounts.items()}


def _second_time_served(call: Call, _: None) -> Call:
    """The first refusal stays in memory; after it the empty key is treated as the main one."""
    if call.key == call.promise.keys["empty_wallet"] and call.memory.get("refused for credits"):
        return call.with_header("authorization", f"Bearer {call.promise.keys['main']}")
    return call


def _remember_credits(answer: Answer, call: Call) -> Answer:
    if answer.status == 402:
        call.memory["refused for credits"] = True
    return answer


def _row(requirement: str, name: str, describe: str, dialect: str = "page", **stages: Any) -> Fault:
    return Fault(name=name, breaks=(f"error.{requirement}",), describe=describe, dialect=dialect, **stages)


def _param(answer: Answer) -> Any:
    error = answer.document.get("error") if isinstance(answer.document, dict) else None
    return error.get("param") if isinstance(error, dict) else None


def _other_param(answer: Answer) -> Answer:
    named = _param(answer)
    return with_error(answer, param="prompt" if named == "model" else "model") if named else answer


def _with_picture(answer: Answer) -> Answer:
    if not isinstance(answer.document, dict):
        return answer
    return replace(answer, document={**answer.document, "data": [{"b64_json": "iVBORw0KGgo="}]})


def _a_hundred_times(answer: Answer) -> Answer:
    honest = int(answer.header("retry-after") or 0)
    return answer.with_headers({"retry-after-ms": str(honest * 100_000)})


def _flip(answer: Answer, call: Call) -> Answer:
    if answer.status != 400:
        return answer
    seen = call.memory["refusals"] = call.memory.get("refusals", 0) + 1
    return replace(answer, status=422) if seen % 2 else answer


FAULTS = (
    _row(
        "envelope",
        "error-string",
        "error is a string.",
        answer=errors(lambda answer: replace(answer, document={"error": message(answer)})),
    ),
    _row(
        "envelope",
        "error-detail",
        'An error is {"detail": …}, as a framework leaves it.',
        answer=errors(lambda answer: replace(answer, document={"detail": message(answer)})),
    ),
    _row("envelope", "error-html", "An error is an HTML page.", answer=errors(_html)),
    _row(
        "envelope",
        "error-empty",
        "An error has no body.",
        answer=errors(lambda answer: replace(answer, raw=b"")),
    ),
    _row(
        "envelope",
        "error-message-empty",
        "error.message is empty.",
        answer=errors(lambda answer: with_error(answer, message="")),
    ),
    _row(
        "envelope",
        "error-message-object",
        "error.message is an object.",
        answer=errors(lambda answer: with_error(answer, message={"text": message(answer)})),
    ),
    _row(
        "envelope",
        "error-type-missing",
        "An error has no type.",
        answer=errors(lambda answer: with_error(answer, type=...)),
    ),
    _row(
        "code",
        "code-string",
        "error.code is the status as a string.",
        "vendor",
        answer=errors(lambda answer: with_error(answer, code=str(answer.status))),
    ),
    _row(
        "code",
        "code-other-status",
        "error.code is another status.",
        "vendor",
        answer=errors(lambda answer: with_error(answer, code=answer.status + 1)),
    ),
    _row(
        "code",
        "code-object",
        "error.code is an object.",
        "openai",
        answer=errors(lambda answer: with_error(answer, code={"status": answer.status})),
    ),
    _row(
        "code",
        "param-list",
        "error.param is a list.",
        "openai",
        answer=errors(lambda answer: with_error(answer, param=["body"])),
    ),
    _row("refusal-status", "refusal-409", "A forbidden body is refused with 409.", answer=_refuses_with(409)),
    _row("refusal-status", "refusal-403", "A forbidden body is refused with 403.", answer=_refuses_with(403)),
    _row(
        "refusal-400",
        "refusal-422",
        "A forbidden body is refused with 422.",
        "openai",
        answer=_refuses_with(422),
    ),
    _row("authentication", "slug-401", "A 401 has another slug than documented.", **_slug(401, "unauthorized")),
    _row(
        "authentication",
        "should-retry-401",
        "A 401 invites a retry.",
        **_retry_advice(401, x_should_retry="true"),
    ),
    _row(
        "authentication",
        "retry-after-401",
        "A 401 carries Retry-After.",
        **_retry_advice(401, Retry_After="1"),
    ),
    _row("credits", "slug-402", "A 402 has another slug than documented.", **_slug(402, "billing_error")),
    _row("credits", "wallet-retry-after", "A 402 carries Retry-After.", **_retry_advice(402, Retry_After="1")),
    _row("credits", "should-retry-402", "A 402 invites a retry.", **_retry_advice(402, x_should_retry="true")),
    _row("empty-wallet", "wallet-ignored", "An empty wallet brings pictures.", accounts=_full_wallets),
    _row(
        "empty-wallet",
        "wallet-forgotten",
        "An empty wallet is refused once and served from then on.",
        arrival=_second_time_served,
        answer=_remember_credits,
    ),
    _row(
        "empty-wallet",
        "wallet-403",
        "An empty wallet is refused with 403.",
        answer=errors(lambda answer: replace(answer, status=403), 402),
    ),
    _row("not-found", "slug-404", "A 404 has another slug than documented.", **_slug(404, "missing")),
    _row("not-found", "retry-after-404", "A 404 carries Retry-After.", **_retry_advice(404, Retry_After="1")),
    _row("rate-limit", "slug-429", "A 429 has another slug than documented.", **_slug(429, "too_many_requests")),
    _row("rate-limit", "no-retry-429", "A 429 forbids a retry.", **_retry_advice(429, x_should_retry="false")),
    _row(
        "server",
        "slug-500",
        "Every fourth generation answers 500 with another slug than documented.",
        order=now_and_then(500, "api_error"),
    ),
    _row(
        "server",
        "no-retry-500",
        "Every fourth generation answers a 500 that forbids a retry.",
        order=now_and_then(500, x_should_retry="false"),
    ),
    _row(
        "unavailable",
        "slug-503",
        "Every fourth generation answers 503 with another slug than documented.",
        order=now_and_then(503, "overloaded"),
    ),
    _row(
        "unavailable",
        "no-retry-503",
        "Every fourth generation answers a 503 that forbids a retry.",
        order=now_and_then(503, x_should_retry="false"),
    ),
    _row(
        "no-internals",
        "stack-trace",
        "Refusals show a stack trace.",
        answer=errors(lambda answer: with_error(answer, message=_TRACE)),
    ),
    _row(
        "no-internals",
        "stack-trace-json",
        "Refusals show a stack trace beside the message.",
        answer=where(
            lambda answer, _: answer.status == 400,
            lambda answer: with_error(answer, trace=_TRACE.splitlines()),
        ),
    ),
    _row(
        "no-internals",
        "stack-trace-java",
        "Refusals show a stack trace of Java's, indented by tabs.",
        answer=errors(lambda answer: with_error(answer, message=_JAVA)),
    ),
    _row(
        "no-addresses",
        "error-address",
        "Refusals name the address of an upstream.",
        answer=errors(lambda answer: with_error(answer, message="connect ECONNREFUSED 10.0.3.7:5432")),
    ),
    _row(
        "no-addresses",
        "error-host",
        "Refusals name the host of an upstream.",
        answer=errors(lambda answer: with_error(answer, message="upstream render-2.models.svc.cluster.local said no")),
    ),
    Fault(
        name="retry-after-ms-other",
        breaks=("error.retry-after-ms",),
        describe="A 429 asks in retry-after-ms, which the SDKs read first, for a hundred times its Retry-After.",
        answer=errors(_a_hundred_times, 429),
    ),
    Fault(
        name="credits-with-picture",
        breaks=("error.no-picture",),
        describe="A 402 brings the picture all the same.",
        answer=errors(_with_picture, 402),
    ),
    Fault(
        name="unavailable-soon",
        breaks=("error.retry-after",),
        describe="Every fourth generation is answered with 503 and a Retry-After in words.",
        order=now_and_then(503, retry_after="soon"),
    ),
    Fault(
        name="param-other",
        breaks=("error.param",),
        dialect="openai",
        describe="error.param names a field that is not at fault.",
        answer=errors(_other_param),
    ),
    Fault(
        name="refusal-flips",
        breaks=("error.deterministic",),
        describe="Every second refusal of a body is a 422 instead of a 400.",
        answer=_flip,
    ),
)
