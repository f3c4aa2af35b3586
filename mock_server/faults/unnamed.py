"""Faults of bodies that the contract leaves open: not survived, or answered with something else."""

from __future__ import annotations

from collections.abc import Callable

from testcard.core.quantity import size_px
from testcard.mock_server.faults.fault import Fault, Fields
from testcard.mock_server.faults.shape import FieldsChange, has, mend, refuse
from testcard.mock_server.message import Call
from testcard.mock_server.promise import Promise
from testcard.mock_server.refusal import Refusal

_OPENAI = frozenset({"quality", "background", "moderation", "style", "user"})
_SHORT = 1000
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


def _crash(wrong: Callable[[bytes], bool]) -> Callable[[Call, None], Call]:
    def change(call: Call, _: None) -> Call:
        if call.asks_for_pictures and wrong(call.body):
            raise Refusal(500, "The body could not be parsed.")
        return call

    return change


def _utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _row(
    requirement: str,
    name: str,
    describe: str,
    fields: FieldsChange | None = None,
    admitted: Callable[[Call, None], Call] | None = None,
) -> Fault:
    return Fault(name=name, breaks=(f"generate.{requirement}",), describe=describe, fields=fields, admitted=admitted)


FAULTS = (
    _row("null-fields", "null-refused", "null in place of a default is refused.", refuse(_nulls, 400, "No nulls.")),
    _row(
        "openai-fields",
        "openai-fields-500",
        "A field of OpenAI's that other models have is answered with 500.",
        refuse(lambda fields, _: bool(_OPENAI & fields.keys())),
    ),
    _row(
        "long-prompt",
        "long-prompt-500",
        "A prompt of 4,000 characters is answered with 500.",
        refuse(has("prompt", _long)),
    ),
    _row(
        "empty-prompt",
        "empty-prompt-500",
        "An empty prompt is answered with 500.",
        refuse(lambda fields, _: fields.get("prompt") == ""),
    ),
    _row(
        "size-undeclared",
        "size-rounded",
        "A size that is not declared is rounded to one that is.",
        mend(_undeclared, size=_rounded),
    ),
    _row(
        "size-undeclared",
        "size-undeclared-500",
        "A size that is not declared is answered with 500.",
        refuse(_undeclared),
    ),
    _row(
        "model-malformed",
        "model-malformed-500",
        "A model slug with control characters or without an end is answered with 500.",
        refuse(has("model", lambda slug: isinstance(slug, str) and (len(slug) > _SHORT or not slug.isprintable()))),
    ),
    _row(
        "unnamed-form",
        "deep-500",
        "A body of many levels is answered with 500.",
        admitted=_crash(lambda body: _DEEP in body),
    ),
    _row(
        "unnamed-form",
        "bom-500",
        "A byte order mark is answered with 500.",
        admitted=_crash(lambda body: body.startswith(b"\xef\xbb\xbf")),
    ),
    _row(
        "unnamed-form",
        "utf8-500",
        "Bytes that are not UTF-8 are answered with 500.",
        admitted=_crash(lambda body: not _utf8(body)),
    ),
)
