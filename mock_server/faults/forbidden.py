"""Faults of forbidden bodies: accepted, mended in silence, or not survived."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from testcard.core.strictjson import parse
from testcard.mock_server.faults.fault import Fields
from testcard.mock_server.faults.shape import always, crash, generate_row, has, mend, refuse
from testcard.mock_server.message import Call
from testcard.mock_server.promise import Promise
from testcard.mock_server.validation import is_integer, problems

_PROMPT = "a test card"


def _no_string(value: Any) -> bool:
    return not isinstance(value, str)


def _no_integer(value: Any) -> bool:
    return not is_integer(value)


def _prompt_no_string(fields: Fields, _: Promise) -> bool:
    return "prompt" in fields and not isinstance(fields["prompt"], str)


def _other_model(fields: Fields, promise: Promise) -> bool:
    return isinstance(fields.get("model"), str) and fields["model"] != promise.model


def _other_size(fields: Fields, promise: Promise) -> bool:
    return isinstance(fields.get("size"), str) and fields["size"] not in (*promise.sizes, "auto")


def _other_format(fields: Fields, promise: Promise) -> bool:
    return isinstance(fields.get("response_format"), str) and fields["response_format"] not in promise.formats


def _format_in_other_letters(fields: Fields, promise: Promise) -> bool:
    return _other_format(fields, promise) and _cleaned(fields, promise) in promise.formats


def _cleaned(fields: Fields, _: Promise) -> str:
    return str(fields["response_format"]).strip().lower()


def _n_beyond(fields: Fields, promise: Promise) -> bool:
    return is_integer(fields.get("n")) and fields["n"] > promise.max_n


def _n_below(fields: Fields, _: Promise) -> bool:
    return is_integer(fields.get("n")) and fields["n"] < 1


def _n_coerced(fields: Fields, promise: Promise) -> int:
    try:
        return min(max(1, int(fields["n"])), promise.max_n)
    except (TypeError, ValueError, OverflowError):
        return 1


def _wrong_fields(fields: Fields, promise: Promise) -> set[str]:
    """Those that are there; what is merely missing is another fault."""
    return {problem.field for problem in problems(fields, promise)} & fields.keys()


def _wrong_twice(fields: Fields, promise: Promise) -> bool:
    return len(_wrong_fields(fields, promise)) > 1


def _mended(fields: Fields, call: Call) -> Fields:
    """Whatever is wrong in a body that is wrong in several places, left out."""
    if not _wrong_twice(fields, call.promise):
        return fields
    wrong = _wrong_fields(fields, call.promise)
    good = {name: value for name, value in fields.items() if name not in wrong}
    return {"model": call.promise.model, "prompt": _PROMPT, **good}


def _serve(wrong: Callable[[bytes], bool]) -> Callable[[Call, None], Call]:
    """Serve such bodies all the same."""

    def change(call: Call, _: None) -> Call:
        if not call.asks_for_pictures or not wrong(call.body):
            return call
        return replace(call, body=json.dumps({"model": call.promise.model, "prompt": _PROMPT}).encode())

    return change


def _malformed(body: bytes) -> bool:
    value, problem = parse(body)
    return value is None and problem is not None


def _no_object(body: bytes) -> bool:
    value, problem = parse(body)
    return problem is None and not isinstance(value, dict)


def _empty_object(fields: Fields, call: Call) -> Fields:
    return fields or {"model": call.promise.model, "prompt": _PROMPT}


def _default_size(_: Fields, promise: Promise) -> str:
    return promise.default_size


def _default_format(_: Fields, promise: Promise) -> str:
    return promise.default_format


def _maximum(_: Fields, promise: Promise) -> int:
    return promise.max_n


FAULTS = (
    generate_row(
        "malformed-json",
        "malformed-json-500",
        "A body that is not JSON is answered with 500.",
        admitted=crash(_malformed),
    ),
    generate_row(
        "malformed-json",
        "malformed-json-200",
        "A body that is not JSON brings a picture.",
        admitted=_serve(_malformed),
    ),
    generate_row(
        "not-an-object",
        "array-500",
        "A JSON body that is no object is answered with 500.",
        admitted=crash(_no_object),
    ),
    generate_row(
        "not-an-object",
        "array-200",
        "A JSON body that is no object brings a picture.",
        admitted=_serve(_no_object),
    ),
    generate_row(
        "prompt-missing",
        "prompt-optional",
        "A body without a prompt brings a picture.",
        mend(lambda fields, _: "prompt" not in fields, prompt=always(_PROMPT)),
    ),
    generate_row("prompt-missing", "empty-object-200", "An empty object brings a picture.", _empty_object),
    generate_row(
        "prompt-missing",
        "prompt-missing-500",
        "A body without a prompt is answered with 500.",
        refuse(lambda fields, _: "prompt" not in fields),
    ),
    generate_row(
        "prompt-type",
        "prompt-coerced",
        "A prompt that is no string is made one.",
        mend(_prompt_no_string, prompt=lambda fields, _: json.dumps(fields["prompt"])),
    ),
    generate_row(
        "prompt-type",
        "prompt-null-200",
        "A prompt of null brings a picture.",
        mend(lambda fields, _: fields.get("prompt", ...) is None, prompt=always(_PROMPT)),
    ),
    generate_row(
        "prompt-type",
        "prompt-type-500",
        "A prompt that is no string is answered with 500.",
        refuse(_prompt_no_string),
    ),
    generate_row(
        "model-unknown",
        "model-substituted",
        "An unknown model brings another model's picture.",
        mend(_other_model, model=lambda _, promise: promise.model),
    ),
    generate_row(
        "model-unknown",
        "model-prefix",
        "A model whose name merely begins like a known one brings a picture.",
        mend(
            lambda fields, promise: _other_model(fields, promise) and fields["model"].startswith(promise.model),
            model=lambda _, promise: promise.model,
        ),
    ),
    generate_row("model-unknown", "model-unknown-500", "An unknown model is answered with 500.", refuse(_other_model)),
    generate_row(
        "model-type",
        "model-type-500",
        "A model that is no string is answered with 500.",
        refuse(has("model", _no_string)),
    ),
    generate_row(
        "model-type",
        "model-type-200",
        "A model that is no string brings a picture.",
        mend(has("model", _no_string), model=lambda _, promise: promise.model),
    ),
    generate_row("n-out-of-range", "n-clamped", "An n below 1 is served as 1.", mend(_n_below, n=always(1))),
    generate_row(
        "n-out-of-range",
        "n-beyond-maximum",
        "An n above the maximum is served as the maximum.",
        mend(_n_beyond, n=_maximum),
    ),
    generate_row(
        "n-out-of-range",
        "n-range-500",
        "An n outside its range is answered with 500.",
        refuse(lambda fields, promise: _n_below(fields, promise) or _n_beyond(fields, promise)),
    ),
    generate_row(
        "n-type",
        "n-coerced",
        "An n that is no integer is made one.",
        mend(has("n", _no_integer), n=_n_coerced),
    ),
    generate_row(
        "n-type",
        "n-true-200",
        "An n of true counts as 1.",
        mend(has("n", lambda n: n is True), n=always(1)),
    ),
    generate_row(
        "n-type",
        "n-type-500",
        "An n that is no integer is answered with 500.",
        refuse(has("n", _no_integer)),
    ),
    generate_row(
        "size-invalid",
        "size-replaced",
        "A size that is none is replaced by the default.",
        mend(_other_size, size=_default_size),
    ),
    generate_row("size-invalid", "size-invalid-500", "A size that is none is answered with 500.", refuse(_other_size)),
    generate_row(
        "size-type",
        "size-type-500",
        "A size that is no string is answered with 500.",
        refuse(has("size", _no_string)),
    ),
    generate_row(
        "size-type",
        "size-type-200",
        "A size that is no string is replaced by the default.",
        mend(has("size", _no_string), size=_default_size),
    ),
    generate_row(
        "response-format-invalid",
        "format-replaced",
        "A response_format that is not documented is replaced by the default.",
        mend(_other_format, response_format=_default_format),
    ),
    generate_row(
        "response-format-invalid",
        "format-any-case",
        "A response_format in other letters or with blanks around it is accepted.",
        mend(_format_in_other_letters, response_format=_cleaned),
    ),
    generate_row(
        "response-format-invalid",
        "format-invalid-500",
        "A response_format that is not documented is answered with 500.",
        refuse(_other_format),
    ),
    generate_row(
        "response-format-type",
        "format-type-500",
        "A response_format that is no string is answered with 500.",
        refuse(has("response_format", _no_string)),
    ),
    generate_row(
        "response-format-type",
        "format-type-200",
        "A response_format that is no string is replaced by the default.",
        mend(has("response_format", _no_string), response_format=_default_format),
    ),
    generate_row(
        "forbidden-combination",
        "combination-500",
        "A body that is wrong in several places is answered with 500.",
        refuse(_wrong_twice),
    ),
    generate_row(
        "forbidden-combination",
        "combination-200",
        "A body that is wrong in several places brings a picture.",
        _mended,
    ),
)
