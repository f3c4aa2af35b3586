"""Requests with other credentials than a good key."""

from __future__ import annotations

import hashlib

from testcard.conformance.case.asker import Asker, json_body
from testcard.conformance.case.refusal import breaking, unknown_model
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
    body = json_body(ask.body("nobody"))
    return [Request(name, body=body, authorization=value) for name, value in forms.items()]


def wrong_key_and_body(ask: Asker) -> list[Request]:
    requests = [*list(breaking("generate.n-out-of-range")(ask))[:1], *unknown_model(ask)[:1]]
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
    body = ask.body("an empty wallet")
    return [
        Request(
            f"an empty wallet, {time} time",
            body=json_body(body | {"prompt": f"{body['prompt']}, {time}"}),
            key="empty_wallet",
            images=1,
        )
        for time in ("first", "second")
    ]
