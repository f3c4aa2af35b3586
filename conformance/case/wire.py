"""Requests that are unusual on the wire: in size, coding, header or scheme. All of them are free."""

from __future__ import annotations

from dataclasses import replace

from testcard.conformance.case.asker import Asker, json_body
from testcard.conformance.case.credential import WRONG_KEY
from testcard.conformance.case.good import sdk, standard
from testcard.conformance.case.path import models
from testcard.conformance.case.refusal import malformed, refusable
from testcard.core.exchange import Request, Violation

_LARGE_BYTES = 990_000
"""Just under the million that our manners allow."""
_INJECTION = "testcard%0d%0aX-Testcard-Injected:%20yes%0d%0a"


def large_body(ask: Asker) -> list[Request]:
    """Wrong in every field, lest a lenient server draw it, and under a name of its own."""
    body = ask.body("a large body", n=0, size="as large as the body", response_format="none")
    body["prompt"] += " x" * ((_LARGE_BYTES - len(json_body(body))) // 2)
    judges = ("transport.large-body", "transport.json-content-type", "transport.json-body", "error.envelope")
    sent = "n = 0 and a prompt of almost 1 MB"
    violation = Violation("transport.large-body", "body", "in every field", "valid", sent)
    return [ask.bad("a large body", body, violation, judges=judges)]


def compressed(ask: Asker) -> list[Request]:
    """Answers that may come compressed, a picture among them."""
    free = [*models(ask), refusable(ask, "main", 3)][0]
    return [*sdk(ask), replace(free, case="gzip accepted", headers=(("Accept-Encoding", "gzip"),))]


def framed(ask: Asker) -> list[Request]:
    """Answers of every length, plain and compressed."""
    return [*standard(ask), *compressed(ask)]


def hostile_request_id(ask: Asker) -> list[Request]:
    """A long one, one that would be two header lines if it were decoded, and one that is not ASCII."""
    free = [*models(ask), refusable(ask, "main", 4)][0]
    ids = {"of 300 characters": "testcard-" + "x" * 291, "with an encoded line break": _INJECTION}
    ids["that is not ASCII"] = "testcard-\xe9\xc3\xa9"
    judges = ("identity.request-id-safe",)
    return [
        replace(free, case=f"a request id {name}", headers=(("X-Request-Id", value),), judges=judges)
        for name, value in ids.items()
    ]


def own_id(ask: Asker) -> list[Request]:
    """Pictures, and refusals whose id is of the server's making, at short intervals."""
    free = [
        replace(request, case=f"{request.case}, without a request id", headers=(("X-Request-Id", ""),))
        for request in (*malformed(ask)[:3], refusable(ask, "main", 5))
    ]
    return [*standard(ask), *free]


def in_the_clear(ask: Asker) -> list[Request]:
    """A good body over http with a key that nobody issued."""
    if ask.target.on_loopback or not ask.target.base_url.startswith("https:"):
        return []
    return [
        Request(
            "over http, with a key that nobody issued",
            body=json_body(ask.body("nobody")),
            authorization=f"Bearer {WRONG_KEY}",
            in_the_clear=True,
            judges=("transport.no-plain-http",),
        )
    ]
