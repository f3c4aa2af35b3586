"""Requests with other credentials than a good key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from testcard.conformance.case.asker import Asker, json_body
from testcard.conformance.case.path import models
from testcard.conformance.case.refusal import breaking, malformed, refusable, unknown_model
from testcard.core.exchange import Request

KEYLESS = "without a key"
WRONG_KEY = "sk-aig-" + hashlib.sha256(b"a key that nobody issued").hexdigest()[:32]


def keyless(ask: Asker) -> list[Request]:
    return [Request(KEYLESS, body=json_body(ask.body("nobody")), key=None)]


def wrong_key(ask: Asker) -> list[Request]:
    """The first is sent right after the good key, with nothing in between: whoever remembers the wrong thing, the
    connection say, lets it in.
    """
    return [
        Request(name, body=json_body(ask.body(name)), authorization=f"Bearer {WRONG_KEY}")
        for name in ("a wrong key right after a good one", "a wrong key")
    ]


def malformed_credentials(ask: Asker) -> list[Request]:
    forms = {
        "an empty bearer token": "Bearer",
        "a key as Basic": f"Basic {WRONG_KEY}",
        "a key without a scheme": WRONG_KEY,
    }
    odd = {
        "a key that is not ASCII": f"Bearer {WRONG_KEY}\xe9",
        "a key of 2,000 characters": f"Bearer {WRONG_KEY}{'0' * (2000 - len(WRONG_KEY))}",
    }
    judges = ("auth.malformed-credentials", "auth.key-not-echoed")  # a proxy that hangs up is no server that fails
    body = json_body(ask.body("nobody"))
    requests = [Request(name, body=body, authorization=value) for name, value in forms.items()]
    requests += [Request(name, body=body, authorization=value, judges=judges) for name, value in odd.items()]
    return requests + _second(ask, ("Basic", "no scheme", "another scheme"))


def key_elsewhere(ask: Asker) -> list[Request]:
    names = ("as ?api_key=", "as ?key=", "as ?access_token=", "as api_key in the body")
    return _second(ask, names, "auth.key-in-query")


def shortened_key(ask: Asker) -> list[Request]:
    names = ("without its last character", "its first half")
    return _second(ask, names, "auth.shortened-key", "auth.key-not-echoed")


def near_miss_key(ask: Asker) -> list[Request]:
    """Of the second key, or else of one that nobody issued."""
    judges = ("auth.near-miss-key", "auth.key-not-echoed")
    if "second" in ask.roles:
        return _second(ask, ("one character changed", "in the other case", "with a character more"), *judges)
    body = json_body(ask.body("nobody"))
    wrong = f"Bearer {WRONG_KEY.upper()}"
    return [Request("a random key in capitals", body=body, authorization=wrong, judges=judges)]


def _second(ask: Asker, presented: Iterable[str], *judges: str) -> list[Request]:
    """A good body with the second key, presented otherwise than it should be."""
    if "second" not in ask.roles:
        return []
    body = json_body(ask.body("nobody"))
    return [
        Request(f"the second key, {name}", body=body, key="second", presented=name, judges=judges) for name in presented
    ]


def lower_case_scheme(ask: Asker) -> list[Request]:
    """A request that costs nothing whether it is let in or not."""
    free = [*models(ask), refusable(ask, "main", 2)][0]
    return [replace(free, case="bearer in lower case", presented="lower-case scheme", judges=("auth.scheme-case",))]


def wrong_key_and_body(ask: Asker) -> list[Request]:
    requests = [*list(breaking("generate.n-out-of-range")(ask))[:1], *unknown_model(ask)[:1], *malformed(ask)[:1]]
    return [
        Request(
            f"a wrong key and {r.case}",
            body=r.body,
            violations=r.violations,
            authorization=f"Bearer {WRONG_KEY}",
        )
        for r in requests
    ]


def empty_wallet(ask: Asker) -> list[Request]:
    """The bare request, and one in which everything is another: whoever looks at the wallet on one way only, lets it
    in on the other.
    """
    form, most = ask.target.response_formats[-1], min(2, ask.target.max_n)
    other = {"n": most, "response_format": form, **({"size": ask.contract.smallest} if ask.contract.smallest else {})}
    bodies = {"first": ask.body("an empty wallet"), "second": ask.body("an empty wallet still", **other)}
    return [
        Request(f"an empty wallet, {time} time", body=json_body(body), key="empty_wallet", images=body.get("n", 1))
        for time, body in bodies.items()
    ]
