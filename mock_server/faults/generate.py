"""Faults of good bodies: refused, misread, or answered with something else."""

from __future__ import annotations

from testcard.mock_server.faults.shape import always, generate_row, has, lacks, mend, refuse
from testcard.mock_server.validation import is_integer

_DOCUMENTED = frozenset({"model", "prompt", "n", "size", "response_format", "quality"})


FAULTS = (
    generate_row(
        "minimal",
        "size-required",
        "A body without a size is refused.",
        refuse(lacks("size"), 400, "`size` is missing."),
    ),
    generate_row("minimal", "n-required", "A body without n is refused.", refuse(lacks("n"), 400, "`n` is missing.")),
    generate_row(
        "full",
        "full-refused",
        "A body with all of the documented fields is refused.",
        refuse(lambda fields, _: fields.keys() >= _DOCUMENTED - {"quality"}, 400, "There are too many fields."),
    ),
    generate_row(
        "default-format",
        "default-b64",
        "Without response_format the picture comes as base64.",
        mend(lacks("response_format"), response_format=always("b64_json")),
    ),
    generate_row("default-n", "default-two", "Without n two pictures come.", mend(lacks("n"), n=always(2))),
    generate_row(
        "default-size",
        "default-size-other",
        "Without a size the picture has another one than documented.",
        mend(
            lacks("size"),
            size=lambda _, promise: next(size for size in promise.sizes if size != promise.default_size),
        ),
    ),
    generate_row(
        "url",
        "format-ignored-url",
        "A request for url brings base64.",
        mend(has("response_format", lambda wanted: wanted == "url"), response_format=always("b64_json")),
    ),
    generate_row(
        "b64-json",
        "format-ignored-b64",
        "A request for b64_json brings a url.",
        mend(has("response_format", lambda wanted: wanted == "b64_json"), response_format=always("url")),
    ),
    generate_row(
        "n-honoured",
        "n-ignored",
        "One picture comes, whatever n is.",
        mend(
            lambda fields, promise: is_integer(fields.get("n")) and 1 <= fields["n"] <= promise.max_n,
            n=always(1),
        ),
    ),
    generate_row(
        "n-honoured",
        "n-short",
        "One picture fewer comes than asked for.",
        mend(
            lambda fields, promise: is_integer(fields.get("n")) and 1 < fields["n"] <= promise.max_n,
            n=lambda fields, _: fields["n"] - 1,
        ),
    ),
    generate_row(
        "unicode-prompt",
        "unicode-refused",
        "A prompt that is not ASCII is refused.",
        refuse(has("prompt", lambda prompt: isinstance(prompt, str) and not prompt.isascii()), 400, "Use ASCII."),
    ),
    generate_row(
        "unicode-prompt",
        "quotes-refused",
        "A prompt with quotes or line breaks is refused.",
        refuse(
            has("prompt", lambda prompt: isinstance(prompt, str) and bool({'"', "\n"} & set(prompt))),
            400,
            "`prompt` is not clean.",
        ),
    ),
    generate_row(
        "no-lasting-error",
        "two-500",
        "A request for more than one picture is answered with 500, each time.",
        refuse(has("n", lambda n: is_integer(n) and n > 1)),
    ),
    generate_row(
        "unknown-field",
        "unknown-field-500",
        "A field that is not documented is answered with 500.",
        refuse(lambda fields, _: not fields.keys() <= _DOCUMENTED),
    ),
    generate_row(
        "declared-field",
        "quality-ignored",
        "A quality that is not documented is replaced by the default.",
        mend(has("quality", lambda _: True), quality=always("auto")),
    ),
    generate_row(
        "declared-field",
        "quality-500",
        "A quality that is not documented is answered with 500.",
        refuse(lambda fields, promise: fields.get("quality") not in (None, *promise.qualities)),
    ),
)
