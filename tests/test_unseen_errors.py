# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in how they refuse and how they limit.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import time
from itertools import count

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import KEYS, SLUGS, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# Errors.


@defect("error.envelope", "transport.unknown-path")
class Detail(Wild):
    """FastAPI's own: vLLM-omni, SGLang, Xinference."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        return self.reply({"detail": [{"loc": ["body", param], "msg": message}]}, status)


@defect("error.envelope")
class ErrorIsText(Wild):
    """stable-diffusion.cpp."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        return self.reply({"error": message}, status)


@defect("error.envelope")
class TypeNull(Wild):
    """Azure."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        return self.reply({"error": {"message": message, "type": None, "code": "content_filter"}}, status)


@defect("error.envelope")
class NothingSaid(Wild):
    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(400, " ", param)


@defect("error.envelope", "transport.unknown-path")
class GoogleStyle(Wild):
    """A list around the envelope."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        return self.reply([{"error": {"code": status, "message": message, "status": "INVALID"}}], status)


@defect("error.no-internals")
class PythonTrace(Wild):
    def refusal(self, message: str, param: str | None) -> Reply:
        trace = 'Traceback (most recent call last):\n  File "/app/api.py", line 120, in create_image\n'
        return self.error(400, trace + message, param)


@defect("error.no-internals")
class NodeTrace(Wild):
    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(400, f"Error: {message}\n    at parse (/srv/gateway/dist/routes/images.js:41:13)", param)


@defect("error.authentication")
class OtherSlugFor401(Wild):
    def slug(self, status: int) -> str:
        return "unauthorized" if status == 401 else super().slug(status)


@defect("error.authentication")
class TryThatKeyAgain(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if reply.status == 401:
            reply.headers.append(("X-Should-Retry", "true"))
        return super().dress(ask, reply)


@defect("error.not-found")
class OtherSlugFor404(Wild):
    def slug(self, status: int) -> str:
        return "invalid_request_error" if status == 404 else super().slug(status)


@defect("error.credits")
class WaitForMoney(Wild):
    """An empty wallet as something to wait for."""

    def pay(self, ask: Ask) -> Reply | None:
        reply = super().pay(ask)
        if reply is not None:
            reply.headers.append(("Retry-After", "60"))
        return reply


@defect("error.credits")
class QuotaSlug(Wild):
    """OpenAI's word for it."""

    def slug(self, status: int) -> str:
        return "insufficient_quota" if status == 402 else super().slug(status)


@defect("error.empty-wallet")
class OnCredit(Wild):
    def pay(self, ask: Ask) -> Reply | None:
        return None


@defect("error.empty-wallet")
class EmptyWalletIsForbidden(Wild):
    def pay(self, ask: Ask) -> Reply | None:
        reply = super().pay(ask)
        return self.error(403, "Pay first.") if reply is not None else None

    def slug(self, status: int) -> str:
        return SLUGS.get(status, "payment_required")


@defect("error.empty-wallet")
class OneTooMany(Wild):
    """The balance is written after the picture: the second request finds it still full."""

    def pay(self, ask: Ask) -> Reply | None:
        reply = super().pay(ask)
        return None if reply is not None and next(self.asked) == 2 else reply


@defect("error.server")
class InternalSlug(Wild):
    """Now and then a 500 by another name."""

    steps = ("fail", *Wild.steps)

    def fail(self, ask: Ask) -> Reply | None:
        now = not ask.target.startswith("/media/") and next(self.asked) % 23 == 0
        return self.error(500, "Oops.") if now else None

    def slug(self, status: int) -> str:
        return "internal_error" if status == 500 else super().slug(status)


@defect("error.unavailable")
class UnavailableForGood(Wild):
    """Now and then a 503 that tells the SDKs not to come back."""

    steps = ("fail", *Wild.steps)

    def fail(self, ask: Ask) -> Reply | None:
        if ask.target.startswith("/media/") or next(self.asked) % 23:
            return None
        reply = self.error(503, "Oops.")
        reply.headers.append(("x-should-retry", "false"))
        return reply


@defect("error.envelope", "transport.json-content-type", "transport.json-body")
class HtmlFromTheEdge(Wild):
    """Now and then the proxy answers in its own way."""

    steps = ("fail", *Wild.steps)

    def fail(self, ask: Ask) -> Reply | None:
        page = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
        now = not ask.target.startswith("/media/") and next(self.asked) % 23 == 0
        return Reply(503, page, [("Content-Type", "text/html")]) if now else None


@defect("error.code")
class CodeAsText(Wild):
    dialect = "vendor"

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        error = {"message": message, "type": self.slug(status), "code": str(status)}
        return self.reply({"error": error}, status)


@defect("error.code")
class CodeAsNumber(Wild):
    """vLLM-omni, judged as OpenAI."""

    dialect = "openai"

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
        return self.reply({"error": error}, status)


@defect("error.code")
class CodeOfAnother(Wild):
    """The upstream's status in the body, the gateway's in the status line."""

    dialect = "vendor"

    def refusal(self, message: str, param: str | None) -> Reply:
        reply = self.error(400, message, param)
        reply.body = reply.body.replace(b'"code": 400', b'"code": 422')
        return reply


# Limits.


class Limited(Wild):
    keys = tuple(KEYS)


@defect("limit.retry-after")
class NoRetryAfter(Limited):
    def limited(self, wait: int) -> Reply:
        return self.error(429, "Too fast.")


class OtherRetryAfter(Limited):
    value = ""

    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.replace("Retry-After", self.value)
        return reply


for _name, _value in {
    "Fraction": "0.8", "Milliseconds": "850", "Negative": "-1", "Zero": "0", "Words": "a moment", "Unit": "1s",
    "AnHour": "3600", "IsoMoment": "2026-11-22T10:00:00Z", "Yesterday": "Sat, 21 Nov 2020 10:00:00 GMT",
    "Moment": "1776947082",
}.items():  # fmt: skip
    defect("limit.retry-after")(type(f"RetryAfter{_name}", (OtherRetryAfter,), {"value": _value}))


@defect("limit.retry-after-honest")
class TooEarly(Limited):
    """The wait is always said to be a second, and whoever comes back then is turned away once more."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key != KEYS["limited"]:
            return None
        return None if next(self.asked) <= 3 else self.limited(1)


@defect("limit.enforced")
class NoLimit(Limited):
    def limit(self, ask: Ask) -> Reply | None:
        return None


@defect("limit.enforced")
class FourTimesTheLimit(Limited):
    """Each of four processes counts for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = count()

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"]:
            wait = self.limiter.take(str(next(self.turns) % 4), time.time())
            return self.limited(wait) if wait is not None else None
        return None


@defect("limit.enforced", "error.refusal-status", "error.deterministic")
class ForbiddenOverTheLimit(Limited):
    """A firewall that knows one way to say no."""

    def limited(self, wait: int) -> Reply:
        return self.error(403, "Slow down.")

    def slug(self, status: int) -> str:
        return SLUGS.get(status, "forbidden")


@defect("limit.per-key")
class PerAddress(Limited):
    """One limit for whoever comes from there."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key not in (KEYS["limited"], KEYS["second"]):
            return None
        wait = self.limiter.take("all", time.time())
        return self.limited(wait) if wait is not None else None


@defect("error.rate-limit")
class NeverComeBack(Limited):
    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.headers.append(("x-should-retry", "False"))
        return reply


@defect("error.rate-limit")
class OtherSlugFor429(Limited):
    def slug(self, status: int) -> str:
        return "too_many_requests" if status == 429 else super().slug(status)


@defect("error.envelope", "transport.json-content-type", "transport.json-body")
class PlainTooMany(Limited):
    """The limiter in front of the API knows nothing of its envelope."""

    def limited(self, wait: int) -> Reply:
        return Reply(429, b"Too Many Requests", [("Content-Type", "text/plain"), ("Retry-After", str(wait))])


@defect("limit.headers")
class LessThanNothing(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [("x-ratelimit-limit-requests", "10"), ("x-ratelimit-remaining-requests", "-2")]
        return super().dress(ask, reply)


@defect("limit.headers")
class MoreThanTheLimit(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [("X-RateLimit-Limit", "10"), ("X-RateLimit-Remaining", "600")]
        return super().dress(ask, reply)


@defect("limit.headers")
class NoneAsText(Wild):
    """LiteLLM: what the backend did not send is the text None."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [("x-ratelimit-limit-requests", "None"), ("x-ratelimit-remaining-requests", "None")]
        return super().dress(ask, reply)
