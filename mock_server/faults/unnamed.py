"""Faults of bodies that the contract leaves open: not survived, or answered with something else."""

from __future__ import annotations

from testcard.core.quantity import size_px
from testcard.mock_server.faults.fault import Fault, Fields
from testcard.mock_server.faults.shape import crash, generate_row, has, mend, refuse
from testcard.mock_server.message import Call, Order
from testcard.mock_server.promise import Promise
from testcard.mock_server.refusal import Refusal

_OPENAI = frozenset({"quality", "background", "moderation", "style", "user"})
_SHORT = 1000
_VERY_LONG = 8000
_DEEP = b"[" * 1000


def _undeclared(fields: Fields, promise: Promise) -> bool:
    size = fields.get("size")
    return isinstance(size, str) and size_px(size) is not None and size not in promise.sizes


def _rounded(fields: Fields, promise: Promise) -> str:
    """The nearest declared size, as models do that want multiples of something."""
    asked = size_px(fields["size"]) or (0, 0)

    def distance(size: str) -> int:
        width, height = size_px(size) or (0, 0)
        return abs(width - asked[0]) + abs(height - asked[1])

    return min(promise.sizes, key=distance)


def _nulls(fields: Fields, _: Promise) -> bool:
    return any(fields.get(name, ...) is None for name in ("n", "size", "response_format"))


def _long(prompt: object) -> bool:
    return isinstance(prompt, str) and len(prompt) > _SHORT


def _encoded(order: Order, _: Call) -> Order:
    """As a program does that hashes, logs or passes on the text."""
    try:
        order.prompt.encode()
    except UnicodeEncodeError as error:
        raise Refusal(500, "Something went wrong.") from error
    return order


def _utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


FAULTS = (
    generate_row(
        "null-fields", "null-refused", "null in place of a default is refused.", refuse(_nulls, 400, "No nulls.")
    ),
    generate_row(
        "openai-fields",
        "openai-fields-500",
        "A field of OpenAI's that other models have is answered with 500.",
        refuse(lambda fields, _: bool(_OPENAI & fields.keys())),
    ),
    generate_row(
        "long-prompt",
        "long-prompt-500",
        "A prompt of 4,000 characters is answered with 500.",
        refuse(has("prompt", _long)),
    ),
    generate_row(
        "long-prompt",
        "very-long-prompt-500",
        "A prompt of more than 8,000 characters is answered with 500.",
        refuse(has("prompt", lambda prompt: isinstance(prompt, str) and len(prompt) > _VERY_LONG)),
    ),
    generate_row(
        "prompt-odd",
        "prompt-nul-500",
        "A prompt with NUL is answered with 500.",
        refuse(has("prompt", lambda prompt: isinstance(prompt, str) and "\0" in prompt)),
    ),
    Fault(
        name="prompt-surrogate-500",
        breaks=("generate.prompt-odd",),
        describe="Half a surrogate pair in the prompt of a valid generation is answered with 500.",
        order=_encoded,
    ),
    generate_row(
        "empty-prompt",
        "empty-prompt-500",
        "An empty prompt is answered with 500.",
        refuse(lambda fields, _: fields.get("prompt") == ""),
    ),
    generate_row(
        "size-undeclared",
        "size-rounded",
        "A size that is not declared is rounded to one that is.",
        mend(_undeclared, size=_rounded),
    ),
    generate_row(
        "size-undeclared",
        "size-undeclared-500",
        "A size that is not declared is answered with 500.",
        refuse(_undeclared),
    ),
    generate_row(
        "model-malformed",
        "model-malformed-500",
        "A model slug with control characters or without an end is answered with 500.",
        refuse(has("model", lambda slug: isinstance(slug, str) and (len(slug) > _SHORT or not slug.isprintable()))),
    ),
    generate_row(
        "unnamed-form",
        "deep-500",
        "A body of many levels is answered with 500.",
        admitted=crash(lambda body: _DEEP in body),
    ),
    generate_row(
        "unnamed-form",
        "bom-500",
        "A byte order mark is answered with 500.",
        admitted=crash(lambda body: body.startswith(b"\xef\xbb\xbf")),
    ),
    generate_row(
        "unnamed-form",
        "utf8-500",
        "Bytes that are not UTF-8 are answered with 500.",
        admitted=crash(lambda body: not _utf8(body)),
    ),
)
