"""What is asked: every request of a check, built from the contract. Nothing is sent here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from testcard.conformance.contract import Contract
from testcard.conformance.derive import ABSENT, combinations, violations
from testcard.core.exchange import GENERATIONS, MODELS, Request, Violation

PROBES = ("minimal", "full body", "b64_json")
"""Cases of good requests; one of them must succeed before anything is judged."""
KEYLESS = "without a key"
MALFORMED = "truncated JSON"
UNKNOWN_PATH = "/images/generationz"
WRONG_KEY = "sk-aig-" + hashlib.sha256(b"a key that nobody issued").hexdigest()[:32]
_COMBINATIONS = 20

Cases = Callable[["Asker"], Iterable[Request]]
"""Makes the requests that a requirement is judged by."""


class Asker:
    """Builds the requests of one check. Prompts differ from request to request and from seed to seed, so
    that neither a cache nor a duplicate can hide behind equal prompts.
    """

    def __init__(self, contract: Contract, seed: int = 1, *, thorough: bool = False) -> None:
        self.contract = contract
        self.target = contract.target
        self.seed = seed
        self.thorough = thorough

    def body(self, subject: str, **fields: Any) -> dict[str, Any]:
        """A good body about a subject."""
        salt = hashlib.sha256(f"{self.seed} {subject}".encode()).hexdigest()[:8]
        base: dict[str, Any] = {"prompt": f"A test card for {subject}, no. {salt}"}
        if self.target.model is not None:
            base["model"] = self.target.model
        return base | fields

    def good(self, case: str, requirement: str, body: dict[str, Any], **changes: Any) -> Request:
        """A request that must be answered with pictures."""
        return Request(case=case, requirement=requirement, body=_json(body), images=body.get("n") or 1, **changes)

    def bad(self, case: str, body: Any, *broken: Violation, **changes: Any) -> Request:
        """A request that must be refused."""
        data = body if isinstance(body, bytes) else _json(body)
        return Request(case=case, body=data, violations=broken, **changes)


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


# Good requests: few, and each carries a lot.


def minimal(ask: Asker) -> list[Request]:
    return [ask.good(PROBES[0], "generate.minimal", ask.body("defaults"))]


def full(ask: Asker) -> list[Request]:
    size = ask.contract.landscape or (ask.target.sizes[0] if ask.target.sizes else "1024x1024")
    fields: dict[str, Any] = {"n": 1, "size": size, "response_format": ask.target.response_formats[0]}
    return [ask.good(PROBES[1], "generate.full", ask.body("every documented field", **fields))]


def b64_json(ask: Asker) -> list[Request]:
    body = ask.body("base64", response_format="b64_json")
    return [ask.good(PROBES[2], "generate.b64-json", body)] if _has(ask, "b64_json") else []


def url(ask: Asker) -> list[Request]:
    """Where the full body does not ask for a url, a request of its own does."""
    if not _has(ask, "url") or ask.target.response_formats[0] == "url":
        return full(ask) if _has(ask, "url") else []
    return [ask.good("url", "generate.url", ask.body("a url", response_format="url"))]


def two_of_each(ask: Asker) -> list[Request]:
    if ask.target.max_n < 2:
        return []
    most = [ask.target.max_n] if ask.thorough and ask.target.max_n > 2 else []
    return [
        ask.good(
            f"n = {n}, {form}",
            "generate.n-honoured",
            ask.body(f"{n} pictures as {form}", n=n, response_format=form),
        )
        for n in [2, *most]
        for form in ask.target.response_formats
    ]


def sizes(ask: Asker) -> list[Request]:
    """A portrait beside the landscape of the full body; with --thorough every declared size."""
    contract = ask.contract
    wanted = ask.target.sizes if ask.thorough else tuple(filter(None, (contract.portrait or contract.smallest,)))
    form = "b64_json" if _has(ask, "b64_json") else ask.target.response_formats[0]
    return full(ask) + [
        ask.good(f"size {size}", "image.size", ask.body(f"the size {size}", size=size, response_format=form))
        for size in wanted
    ]


def unicode_prompt(ask: Asker) -> list[Request]:
    body = ask.body("any text")
    body["prompt"] += (
        ' "quoted", \\ and / \n\t\u043a\u043e\u0442 \u732b \u05d7\u05ea\u05d5\u05dc \U0001f408\u200d\u2b1b e\u0301'
    )
    return [ask.good("any text as prompt", "generate.unicode-prompt", body)]


def unknown_field(ask: Asker) -> list[Request]:
    body = ask.body("a field more", testcard_unknown_field=True)
    return [ask.good("a field that no contract names", "generate.unknown-field", body, may_refuse=True)]


def other_content_type(ask: Asker) -> list[Request]:
    headers = (("Content-Type", "text/plain"),)
    return [
        ask.good(
            "labelled text/plain",
            "transport.other-content-type",
            ask.body("plain text"),
            may_refuse=True,
            headers=headers,
        )
    ]


def sdk(ask: Asker) -> list[Request]:
    """The headers of openai-python (src/openai/_base_client.py, platform_headers and default_headers)."""
    headers = (
        ("User-Agent", "OpenAI/Python 3.54.0"),
        ("X-Stainless-Lang", "python"),
        ("X-Stainless-Package-Version", "3.54.0"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Runtime", "CPython"),
        ("X-Stainless-Runtime-Version", "3.12.4"),
        ("X-Stainless-Async", "false"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-read-timeout", "600"),
    )
    return [ask.good("as an SDK sends it", "sdk.request-form", ask.body("an SDK"), headers=headers)]


def standard(ask: Asker) -> list[Request]:
    """The good requests on which whatever holds for any answer is judged."""
    return [*minimal(ask), *full(ask), *b64_json(ask)]


# Requests that must be refused: free, if they are.


def breaking(requirement: str) -> Cases:
    """The derived bodies that break this requirement of the request schema."""

    def cases(ask: Asker) -> Iterable[Request]:
        for violation, value in violations(ask.contract):
            if violation.requirement == requirement:
                body = ask.body("a refusal")
                if value is ABSENT:
                    body.pop(violation.field, None)
                else:
                    body[violation.field] = value
                yield ask.bad(violation.sentence(), body, violation)

    return cases


def combined(ask: Asker) -> list[Request]:
    """Bodies broken in several places, chosen by hypothesis from the seed; nothing is sent while it chooses."""
    chosen: dict[bytes, Request] = {}

    @seed(ask.seed)
    @settings(
        max_examples=_COMBINATIONS, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(combinations(ask.contract, ask.body("a refusal")))
    def choose(example: tuple[dict[str, Any], tuple[Violation, ...]]) -> None:
        request = combination(ask, *example)
        chosen[request.body or b""] = request

    choose()
    return list(chosen.values())


def combination(ask: Asker, body: dict[str, Any], broken: tuple[Violation, ...]) -> Request:
    return ask.bad("several violations at once", body, *broken)


def malformed(ask: Asker) -> list[Request]:
    good = _json(ask.body("a refusal"))
    bodies = {
        MALFORMED: good[: len(good) // 2],
        "plain text": b"a cyberpunk cat",
        "an empty body": b"",
        "single quotes": good.replace(b'"', b"'"),
    }
    return [
        ask.bad(name, body, Violation("generate.malformed-json", "body", "media type", "application/json", name))
        for name, body in bodies.items()
    ]


def not_an_object(ask: Asker) -> list[Request]:
    values: tuple[Any, ...] = ([ask.body("a refusal")], "a cyberpunk cat", 1, None, True)
    return [
        ask.bad(
            f"the body {json.dumps(value)[:20]}",
            value,
            Violation("generate.not-an-object", "body", "type", "object", json.dumps(value)[:40]),
        )
        for value in values
    ]


def prompt_missing(ask: Asker) -> Iterable[Request]:
    yield from breaking("generate.prompt-missing")(ask)
    missing = Violation("generate.prompt-missing", "prompt", "required", "present", "an empty object")
    yield ask.bad("an empty object", {}, missing)


def unknown_model(ask: Asker) -> list[Request]:
    salt = hashlib.sha256(f"{ask.seed} model".encode()).hexdigest()[:10]
    slugs = (f"no-such-lab/no-such-model-{salt}", f"{ask.target.model}-{salt}")
    return [
        ask.bad(
            f"model {slug}",
            ask.body("a refusal", model=slug),
            Violation("generate.model-unknown", "model", "one of", "the API's models", slug),
        )
        for slug in slugs
    ]


# Credentials.


def keyless(ask: Asker) -> list[Request]:
    return [Request(KEYLESS, body=_json(ask.body("nobody")), key=None)]


def wrong_key(ask: Asker) -> list[Request]:
    """The first is sent right after the good key, with nothing in between: whoever remembers the wrong thing, the
    connection say, lets it in.
    """
    return [
        Request(name, body=_json(ask.body(name)), authorization=f"Bearer {WRONG_KEY}")
        for name in ("a wrong key right after a good one", "a wrong key")
    ]


def malformed_credentials(ask: Asker) -> list[Request]:
    forms = {
        "an empty bearer token": "Bearer",
        "a key as Basic": f"Basic {WRONG_KEY}",
        "a key without a scheme": WRONG_KEY,
    }
    body = _json(ask.body("nobody"))
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
            body=_json(body | {"prompt": f"{body['prompt']}, {time}"}),
            key="empty_wallet",
            images=1,
        )
        for time in ("first", "second")
    ]


# Paths and methods.


def unknown_path(ask: Asker) -> list[Request]:
    body = _json(ask.body("nowhere"))
    return [
        Request("POST on an unknown path", path=UNKNOWN_PATH, body=body),
        Request("GET on an unknown path", method="GET", path=UNKNOWN_PATH),
    ]


def wrong_method(ask: Asker) -> list[Request]:
    body = _json(ask.body("a refusal"))
    return [
        Request(f"{method} {GENERATIONS}", method=method, path=GENERATIONS, body=None if method == "GET" else body)
        for method in ("GET", "PUT", "DELETE")
    ]


def models(ask: Asker) -> list[Request]:
    return [Request("the list of models", method="GET", path=MODELS)] if "models" in ask.target.capabilities else []


def refusable(ask: Asker, key: str, number: int) -> Request:
    """A request that costs nothing, on a key of that role."""
    missing = Violation("generate.prompt-missing", "prompt", "required", "present", "nothing")
    body = {"model": ask.target.model}
    return ask.bad(f"{key} key, refusable request {number}", body, missing, key=key)


def billable(ask: Asker, key: str, number: int) -> Request:
    """The cheapest request that succeeds, on a key of that role."""
    fields = {"size": ask.contract.smallest} if ask.contract.smallest else {}
    return Request(
        f"{key} key, request {number}",
        body=_json(ask.body(f"the {key} key, {number}", **fields)),
        key=key,
        images=1,
    )


def _has(ask: Asker, form: str) -> bool:
    return form in ask.target.response_formats
