# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Correct servers in other clothes: each keeps the contract in its own way, and none may be accused.

Whole servers; connections, answers, media, limits and pictures have tables of their own.
"""

from __future__ import annotations

import pytest

from wild_check import Clothes, assert_spotless, examine
from wild_server import Ask, Reply, Wild, declare

CLOTHES = Clothes()
clothing = CLOTHES.enter


@pytest.mark.parametrize("kind", CLOTHES, ids=lambda kind: kind.__name__)
def test_no_correct_server_is_accused(kind: type[Wild]) -> None:
    """A server that keeps the contract in an unusual way gets no fail and no warn."""
    assert_spotless(examine(kind()), kind)


# Whole servers: dialects, addresses, capabilities.


@clothing
class Plain(Wild):
    """As it comes."""


@clothing
class EveryKey(Wild):
    """With a second and a limited key."""

    keys = ("main", "second", "empty_wallet", "limited")


@clothing
class Vendor(Wild):
    """Integer codes, and none of the page's slugs where the vendor's other documents have others."""

    dialect = "vendor"
    keys = ("main", "second", "empty_wallet", "limited")

    def slug(self, status: int) -> str:
        others = {401: "invalid_key", 402: "budget_exceeded", 404: "model_not_found", 429: "rate_limited"}
        return others.get(status) or super().slug(status)


@clothing
class VendorOnceMore(Wild):
    """The third name that the vendor's documents have for an empty wallet."""

    dialect = "vendor"

    def slug(self, status: int) -> str:
        return "payment_required" if status == 402 else super().slug(status)


@clothing
class OpenAi(Wild):
    """code and param, null or a text; ids of its own; quota errors as 429."""

    dialect = "openai"
    keys = ("main", "second", "limited")

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        kind = {401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}.get(status, "api_error")
        code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
        return self.reply({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers.pop("x-request-id", None)
        reply.headers += [("openai-processing-ms", "12"), ("openai-version", "2020-10-01")]
        return super().dress(ask, reply)


@clothing
class OpenAiWithoutOptionals(Wild):
    """Neither code nor param."""

    dialect = "openai"
    keys = ("main",)

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        return self.reply({"error": {"message": message, "type": "some_error"}}, status)


@clothing
class Undescribed(Wild):
    """Sizes, default size and formats undeclared: OpenAI's contract is what is left."""

    dialect = "openai"
    keys = ("main",)
    default_size = "256x256"
    declares = declare(sizes=None, default_size=None, response_formats=None, default_response_format=None)


@clothing
class OpenToAll(Wild):
    """It asks for no key."""

    open_to_all = True
    keys = ()
    declares = declare(auth="none")


@clothing
class OneAtMost(Wild):
    max_n = 1


@clothing
class InlineOnly(Wild):
    formats = ("b64_json",)


@clothing
class ByUrlOnly(Wild):
    formats = ("url",)


@clothing
class InlineByDefault(Wild):
    formats = ("b64_json", "url")


@clothing
class NoModelsList(Wild):
    declares = declare(capabilities=["generations"])


@clothing
class LocalhostName(Wild):
    host = "localhost"


@clothing
class Ipv6(Wild):
    host = "::1"


@clothing
class NoVersionPath(Wild):
    prefix = ""


@clothing
class DeepVersionPath(Wild):
    prefix = "/gateways/eu-1/openai/v1"
