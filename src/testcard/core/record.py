"""The record: what is kept of one exchange, and the only thing that crosses from asking to reporting.

Rule 1: no image bytes, no keys, no signatures. Pictures are described, excerpts are short and redacted.
Rule 2: a failed request is a record, not an exception.
"""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints


class Jsonable:
    """A frozen dataclass that is a JSON object: the same names, tuples as arrays, None left out."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; a field whose value is its default and None or empty is left out."""
        result: dict[str, Any] = {}
        for name, may_be_empty in _names(type(self)):
            value = getattr(self, name)
            if value is None or (may_be_empty and value == ()):
                continue
            result[name] = value if type(value) in _PLAIN else _plain(value)
        return result

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of to_json; unknown names are ignored, so that newer files can be read."""
        hints = _hints(cls)
        return cls(
            **{
                name: value if type(value) in _PLAIN else _typed(hints[name], value)
                for name, value in data.items()
                if name in hints
            }
        )


_PLAIN = (str, int, float, bool)


_NAMES: dict[type, tuple[tuple[str, bool], ...]] = {}


def _names(cls: type[Jsonable]) -> tuple[tuple[str, bool], ...]:
    """Its fields, and of each whether it is left out where it is empty."""
    if cls not in _NAMES:
        _NAMES[cls] = tuple((field.name, field.default == ()) for field in dataclasses.fields(cls))
    return _NAMES[cls]


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        names = {field.name for field in dataclasses.fields(cls)}
        _HINTS[cls] = {name: hint for name, hint in get_type_hints(cls).items() if name in names}
    return _HINTS[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, Jsonable):
        return value.to_json()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _typed(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin is types.UnionType:
        choices = [choice for choice in get_args(hint) if choice is not type(None)]
        return None if value is None else _typed(choices[0], value) if len(choices) == 1 else value
    if origin is tuple and isinstance(value, list):
        kinds = get_args(hint)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(_typed(kinds[0], item) for item in value)
        return tuple(_typed(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, dict):
        return {key: _typed(get_args(hint)[1], item) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Jsonable):
        return hint.from_json(value)
    return value


@dataclass(frozen=True, slots=True)
class Finding(Jsonable):
    """One judgement about one requirement."""

    requirement: str
    held: bool
    expected: str = ""
    actual: str = ""
    evidence: tuple[int, ...] = ()
    """Numbers of the records that show it; empty for a finding that stands inside its record."""


@dataclass(frozen=True, slots=True)
class Picture(Jsonable):
    """What a picture turned out to be. Its bytes are not kept."""

    size_bytes: int
    sha256: str
    format: str | None = None
    """`png`, `jpeg`, `webp`, or None where the bytes are no picture."""
    width_px: int | None = None
    height_px: int | None = None


@dataclass(frozen=True, slots=True)
class Record(Jsonable):
    """One line of records.jsonl. Spans are seconds on the run's monotonic clock, from its start."""

    number: int
    """Unique in the run, in the order of sending within one worker."""
    case: str
    """What was asked, in a few words."""
    phase: str
    """`check`, `warmup` or `measured`."""
    at: str
    """Wall-clock time of sending, RFC 3339, UTC."""
    method: str
    url: str
    key: str | None = None
    """The role of the key that was sent; None: no key, or one that opens nothing."""
    request_id: str | None = None
    """The X-Request-Id that we sent."""
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: str | None = None
    """Redacted, at most 4,000 characters."""
    violates: tuple[str, ...] = ()
    """How the request broke the contract on purpose, a sentence each."""
    reproduce: str | None = None
    """A curl line that sends it again, the key as an environment variable."""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    """An excerpt, redacted, pictures replaced by their length; kept where something was wrong."""
    shape: str | None = None
    """The kind of body: `object{created,data}`, `array`, `text/html`, `empty`."""
    size_bytes: int | None = None
    """Length of the answer's body."""
    server_s: dict[str, float] | None = None
    """How long what took by the server's own account (Server-Timing and its like), by name."""
    failure: str | None = None
    """Why there is no complete answer: `timeout: …`, `connect: …`, `framing: …`."""
    planned_s: float = 0.0
    """When it was due."""
    sent_s: float | None = None
    """When it was sent; None: never (dropped at the in-flight cap)."""
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    media_s: float | None = None
    """When the last picture that the answer named by URL was complete."""
    media_fetches: int = 0
    picture_of: int | None = None
    """The record that named this picture: a second fetch of it, no request to the API."""
    images: int = 0
    """Images that a 2xx answer billed."""
    pictures: tuple[Picture, ...] = ()
    outcome: str | None = None
    """Under load: `valid`, `invalid`, `limited`, `refused`, `server-error`, `timeout`, `broken`, `dropped`, `lost`."""
    worker: int | None = None
    stage: str | None = None
    """The stage of the load."""
    size: str | None = None
    """The size asked for under load, `1024x1024`."""
    attempt: int = 1
    client: int | None = None
    """Under load by a crowd: which of its clients asked, from 0."""
    held: tuple[str, ...] = ()
    """Requirements that this answer kept (under load: those that no earlier answer of the worker had shown)."""
    broken: tuple[Finding, ...] = ()
    """Requirements that this answer broke."""
