"""Faults of keys and credentials."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.faults.shape import errors, headers, message, with_error
from testcard.mock_server.message import Answer, Call
from testcard.mock_server.refusal import Refusal
from testcard.mock_server.validation import fields_of, order_of


def _let_in(applies: Callable[[Call], bool]) -> Callable[[Call, None], Call]:
    """Treat such callers as the owner of the main key."""

    def change(call: Call, _: None) -> Call:
        return call.with_header("authorization", f"Bearer {call.promise.keys['main']}") if applies(call) else call

    return change


def _known(call: Call) -> bool:
    return call.key in call.promise.keys.values()


def _stale_memory(call: Call) -> bool:
    """Whether a stranger comes right after the owner, whose place in the cache it gets."""
    if _known(call):
        call.memory["auth"] = True
        return False
    return bool(call.memory.pop("auth", False)) and call.key is not None


def _validates_first(call: Call, _: None) -> Call:
    if call.asks_for_pictures and not _known(call):
        order = order_of(fields_of(call), call.promise)
        if order.model != call.promise.model:
            raise Refusal(404, f"There is no model {order.model[:80]!r}.")
    return call


def _told(answer: Answer, call: Call) -> Answer:
    if answer.status < 400 or not call.key:
        return answer
    return with_error(answer, message=f"{message(answer)} (key {call.key})")


def _key_in_url(answer: Answer, call: Call) -> Answer:
    if answer.order is None or answer.order.format != "url":
        return answer
    return replace(answer, raw=answer.body.replace(b".png", f".png?key={call.key}".encode()))


def _token(call: Call) -> str:
    """What follows the scheme, or the whole where there is none; of Basic, the name."""
    value = call.headers.get("authorization", "")
    scheme, _, token = value.rpartition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(token, validate=True).decode("utf-8", "replace").partition(":")[0]
    return token


def _in_query(call: Call) -> bool:
    return any(value in call.promise.keys.values() for _, value in parse_qsl(call.query))


def _in_body(call: Call) -> bool:
    return any(f'"api_key": "{key}"'.encode() in call.body for key in call.promise.keys.values())


def _nearly(call: Call, like: Callable[[str, str], bool]) -> bool:
    """Whether the key is not one of ours, but like one in some way."""
    return not _known(call) and any(like(call.key or "", key) for key in call.promise.keys.values())


def _lower_case_refused(call: Call, _: None) -> Call:
    lower = call.headers.get("authorization", "").startswith("bearer ")
    return call.with_header("authorization", "") if lower else call


def _told_in_base64(answer: Answer, call: Call) -> Answer:
    if answer.status < 400 or not call.key:
        return answer
    told = base64.b64encode(call.headers["authorization"].encode()).decode()
    return with_error(answer, message=f"{message(answer)} (credentials {told})")


FAULTS = (
    Fault(
        name="keyless-accepted",
        breaks=("auth.missing-key",),
        describe="A request without a key is served.",
        arrival=_let_in(lambda call: not call.headers.get("authorization")),
    ),
    Fault(
        name="any-key-accepted",
        breaks=("auth.wrong-key",),
        describe="Any bearer token is served.",
        arrival=_let_in(lambda call: call.key is not None and not _known(call)),
    ),
    Fault(
        name="key-remembered",
        breaks=("auth.wrong-key",),
        describe="A wrong key is served right after a good one: the check is cached by the wrong thing.",
        arrival=_let_in(_stale_memory),
    ),
    Fault(
        name="keyless-403",
        breaks=("auth.missing-key",),
        describe="A request without a key is refused with 403.",
        answer=lambda answer, call: (
            replace(answer, status=403) if answer.status == 401 and not call.headers.get("authorization") else answer
        ),
    ),
    Fault(
        name="scheme-ignored",
        breaks=("auth.malformed-credentials",),
        describe="Credentials of another scheme, or of none, are served whatever they are.",
        arrival=_let_in(lambda call: call.credentials[0] not in ("", "bearer")),
    ),
    Fault(
        name="empty-bearer-accepted",
        breaks=("auth.malformed-credentials",),
        describe="An empty bearer token is served.",
        arrival=_let_in(lambda call: call.credentials == ("bearer", "")),
    ),
    Fault(
        name="good-key-any-scheme",
        breaks=("auth.malformed-credentials",),
        describe="A good key is served in any scheme, and in none.",
        arrival=_let_in(lambda call: call.key is None and _token(call) in call.promise.keys.values()),
    ),
    Fault(
        name="key-in-query",
        breaks=("auth.key-in-query",),
        describe="A good key is served in the query string.",
        arrival=_let_in(_in_query),
    ),
    Fault(
        name="key-in-body",
        breaks=("auth.key-in-query",),
        describe="A good key is served in the body.",
        arrival=_let_in(_in_body),
    ),
    Fault(
        name="key-shortened",
        breaks=("auth.shortened-key",),
        describe="Half of a key is enough.",
        arrival=_let_in(lambda call: _nearly(call, lambda sent, key: len(sent) > 6 and key.startswith(sent))),
    ),
    Fault(
        name="key-suffix",
        breaks=("auth.near-miss-key",),
        describe="A good key with a suffix is served.",
        arrival=_let_in(lambda call: _nearly(call, lambda sent, key: sent.startswith(key))),
    ),
    Fault(
        name="key-case-ignored",
        breaks=("auth.near-miss-key",),
        describe="Keys are compared without regard to case.",
        arrival=_let_in(lambda call: _nearly(call, lambda sent, key: sent.lower() == key.lower())),
    ),
    Fault(
        name="key-ends-compared",
        breaks=("auth.near-miss-key",),
        describe="Of a key the length, the beginning and the end are compared.",
        arrival=_let_in(lambda call: _nearly(call, lambda sent, key: (len(sent), sent[-4:]) == (len(key), key[-4:]))),
    ),
    Fault(
        name="scheme-case-sensitive",
        breaks=("auth.scheme-case",),
        describe="The scheme must be spelt Bearer.",
        arrival=_lower_case_refused,
    ),
    Fault(
        name="malformed-credentials-500",
        breaks=("auth.malformed-credentials",),
        describe="Credentials without a token crash the parser: 500.",
        answer=lambda answer, call: (
            replace(
                answer,
                status=500,
                document={"error": {"message": "Something went wrong.", "type": "server_error"}},
            )
            if answer.status == 401 and call.headers.get("authorization") and not call.key
            else answer
        ),
    ),
    Fault(
        name="validates-first",
        breaks=("auth.before-validation",),
        describe="A stranger's body is validated before its key is looked at.",
        arrival=_validates_first,
    ),
    Fault(
        name="no-challenge",
        breaks=("auth.challenge",),
        describe="A 401 carries no WWW-Authenticate.",
        answer=errors(headers(www_authenticate=None), 401),
    ),
    Fault(
        name="challenge-basic",
        breaks=("auth.challenge",),
        describe="The challenge of a 401 asks for Basic.",
        answer=errors(headers(www_authenticate='Basic realm="testcard mock"'), 401),
    ),
    Fault(
        name="key-echoed-body",
        breaks=("auth.key-not-echoed",),
        describe="Error messages repeat the key.",
        answer=_told,
    ),
    Fault(
        name="key-echoed-base64",
        breaks=("auth.key-not-echoed",),
        describe="Error messages repeat the credentials in base64.",
        answer=_told_in_base64,
    ),
    Fault(
        name="key-echoed-header",
        breaks=("auth.key-not-echoed",),
        describe="Answers repeat the key in a header.",
        answer=lambda answer, call: answer.with_headers({"x-served-for": call.key}),
    ),
    Fault(
        name="key-echoed-url",
        breaks=("auth.key-not-echoed",),
        describe="The URLs of pictures hold the key.",
        answer=_key_in_url,
    ),
)
