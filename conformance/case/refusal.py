"""Requests that must be refused: free, if they are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from testcard.conformance.case.asker import Asker, Cases, json_body
from testcard.conformance.case.good import ODD, unnamed_fields
from testcard.conformance.derive import ABSENT, combinations, violations
from testcard.core.exchange import Request, Violation

MALFORMED = "truncated JSON"
_COMBINATIONS = 24
_DEEP = 10_000
_OF_OTHER_TYPES = {"user": {"id": 7}, "quality": 7, "style": [], "background": False, "seed": "seven", "": {}}
"""Fields that the contract leaves to some models, as no document has them."""


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
    """Bodies that hypothesis breaks in one place or several, from the seed; nothing is sent while it chooses."""
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
    return ask.bad("several violations at once" if len(broken) > 1 else broken[0].sentence(), body, *broken)


def malformed(ask: Asker) -> list[Request]:
    good = json_body(ask.body("a refusal"))
    bodies = {
        MALFORMED: good[: len(good) // 2],
        "plain text": b"a cyberpunk cat",
        "an empty body": b"",
        "single quotes": good.replace(b'"', b"'"),
        "NaN for n": good[:-1] + b', "n": NaN}',
    }
    return [
        ask.bad(name, body, Violation("generate.malformed-json", "body", "media type", "application/json", name))
        for name, body in bodies.items()
    ]


def unnamed_form(ask: Asker) -> list[Request]:
    """Forms that no contract names. None of the bodies has a prompt, so that being lenient costs nothing."""
    text = json.dumps({"model": ask.target.model})
    open_ended = text[:-1].encode()
    bodies = {
        "a byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "bytes that are not UTF-8": open_ended + b', "user": "\xff\xfe\x80"}',
        "half a surrogate pair": open_ended + rb', "user": "\ud83d"}',
        "the same key twice": open_ended + b', "n": 1, "n": 2}',
        "text after the end": text.encode() + b" and more",
        "1.0 for n": open_ended + b', "n": 1.0}',
        f"{_DEEP} arrays in each other": open_ended + b', "user": ' + b"[" * _DEEP + b"]" * _DEEP + b"}",
        "stream: true": open_ended + b', "stream": true}',
    }
    fields = "n = 0, and further fields of other types"
    return [
        *(
            ask.bad(
                f"no prompt, {name}", body, Violation("generate.unnamed-form", "prompt", "required", "present", name)
            )
            for name, body in bodies.items()
        ),
        ask.bad(
            fields,
            ask.body("a refusal", n=0, **_OF_OTHER_TYPES),
            Violation("generate.unnamed-form", "n", "minimum", "1", fields),
        ),
    ]


def other_content_type(ask: Asker) -> list[Request]:
    """Without a prompt, so that being lenient costs nothing."""
    bodies = {
        "text/plain": json_body({"model": ask.target.model}),
        "application/x-www-form-urlencoded": b"n=1",
        "application/json; charset=utf-16": json_body({"model": ask.target.model}),
        "multipart/form-data": b"n=1",  # without the boundary that a reader of forms asks for
        "": json_body({"model": ask.target.model}),
    }
    return [
        ask.bad(
            f"labelled {label}" if label else "without a label",
            body,
            Violation(
                "transport.other-content-type", "prompt", "required", "present", f"a body labelled {label or 'nothing'}"
            ),
            headers=(("Content-Type", label),),
        )
        for label, body in bodies.items()
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


def n_out_of_range(ask: Asker) -> Iterable[Request]:
    """And numbers that no integer of any machine holds: for many readers infinity, for others too long to be read."""
    yield from breaking("generate.n-out-of-range")(ask)
    most = str(ask.target.max_n)
    for name, number in {"1e400": b"1e400", "of 5,000 digits": b"1" * 5000}.items():
        body = json_body(ask.body("a refusal"))[:-1] + b', "n": ' + number + b"}"
        yield ask.bad(f"n {name}", body, Violation("generate.n-out-of-range", "n", "maximum", most, name))


def unknown_model(ask: Asker) -> list[Request]:
    salt = ask.salt("model")
    slugs = (f"no-such-lab/no-such-model-{salt}", f"{ask.target.model}-{salt}")
    return [
        ask.bad(
            f"model {slug}",
            ask.body("a refusal", model=slug),
            Violation("generate.model-unknown", "model", "one of", "the API's models", slug),
        )
        for slug in slugs
    ]


def malformed_model(ask: Asker) -> list[Request]:
    """Slugs that no catalogue holds, in forms that a look-up may stumble on, the lab's name missing among them."""
    salt = ask.salt("malformed model")
    slugs = {
        "5,000 characters": f"lab/{salt}" + "x" * 4980,
        "control characters": f"lab/\x00\r\n{salt}\u202e\u0301",
        "half a surrogate pair": f"lab/{salt}\ud83d",
        "no slash": f"no-such-model-{salt}",
    }
    return [
        ask.bad(
            f"a model slug with {name}",
            json.dumps(ask.body("a refusal", model=slug)).encode(),
            Violation("generate.model-malformed", "model", "one of", "the API's models", f"a slug with {name}"),
        )
        for name, slug in slugs.items()
    ]


def odd_prompts(ask: Asker) -> list[Request]:
    """Odd text in bodies that are wrong otherwise, so that being lenient costs nothing; and where it is asked with much
    else, for whoever stumbles over it later than over n.
    """
    free = [
        ask.bad(
            f"n = 0, and a prompt with {name}",
            ask.body("", prompt=text, n=0),
            Violation("generate.prompt-odd", "n", "minimum", "1", f"0, and a prompt with {name}"),
        )
        for name, text in {**ODD, "white space alone": " \n\t"}.items()
    ]
    return [*free, *unnamed_fields(ask)]


def refusable(ask: Asker, key: str, number: int) -> Request:
    """A request that costs nothing, on a key of that role."""
    missing = Violation("generate.prompt-missing", "prompt", "required", "present", "nothing")
    body = {"model": ask.target.model}
    return ask.bad(f"{key} key, refusable request {number}", body, missing, key=key)
