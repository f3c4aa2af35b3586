"""One request and what came of it, in memory and with all of its bytes.

An Exchange is what conformance judges. What is kept of it on disk is a Record (record.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from testcard.core.presentation import PRESENTATIONS
from testcard.core.strictjson import parse

GENERATIONS = "/images/generations"
MODELS = "/models"


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a request breaks the request schema, on purpose."""

    requirement: str
    """The requirement that a server breaks by accepting it."""
    field: str
    """The field of the request body, or `body`."""
    keyword: str
    """The schema keyword that forbids it: `type`, `maximum`, `enum`, `required`, …"""
    limit: str
    """What the keyword demands, as text."""
    sent: str
    """What was sent instead, as text."""

    def sentence(self) -> str:
        return f"`{self.field}`: {self.keyword} {self.limit}, sent {self.sent}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the target, before keys and headers of the target are added."""

    case: str
    """What it is asked for, in a few words; the name under which records keep it."""
    method: str = "POST"
    path: str = "/images/generations"
    """Relative to the target's base URL."""
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Beyond those that every request carries; a name given here replaces the usual one; with "" it is left out."""
    key: str | None = "main"
    """The role of the key (`main`, `second`, `empty_wallet`, `limited`), or None for no key."""
    authorization: str | None = None
    """A literal Authorization value in place of a real key; never a secret."""
    presented: str = "bearer"
    """How the key of that role is presented: a name of presentation.py."""
    in_the_clear: bool = False
    """Sent over http to a target of https, without any header that the target asks for."""
    judges: tuple[str, ...] = ()
    """The only requirements that its answer is judged by; empty: all that it shows."""
    requirement: str | None = None
    """The requirement that a refusal of this good request breaks."""
    violations: tuple[Violation, ...] = ()
    """How the request breaks the contract; empty for one that must be answered with a picture."""
    may_refuse: bool = False
    """The contract does not name this form: a refusal and a good answer are both right."""
    images: int = 0
    """How many images a 2xx answer bills."""
    parts: tuple[Request, ...] = ()
    """What this request asks for at once, to save pictures: each is asked alone where this one gets no 2xx."""
    after_error: bool = False
    """As a part, it is asked alone only where the whole met a 5xx: what may be refused was refused, for all we know."""

    @property
    def fields(self) -> dict[str, Any]:
        """The body as a JSON object, or {} where it is none."""
        try:
            value = json.loads(self.body or b"")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two requests the same to a server."""
        return (
            self.method,
            self.path,
            self.body,
            self.headers,
            self.key,
            self.authorization,
            self.presented,
            self.in_the_clear,
        )

    @property
    def to_generate(self) -> bool:
        """Whether it is addressed to the operation that makes pictures."""
        return self.path == GENERATIONS and self.method == "POST"

    @property
    def credentialed(self) -> bool:
        """Whether it carries what we hold to be good credentials (on a target without keys: none)."""
        return self.key is not None and self.authorization is None and PRESENTATIONS[self.presented].good


CANCELLED = "cancelled"
"""The kind of a failure that is none of the server's: we closed the connection, since nobody waited any more."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no complete answer."""

    kind: str
    """`connect`, `tls`, `timeout`, `framing` or `closed`; under load also CANCELLED."""
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"[:200]


@dataclass(frozen=True)
class Response:
    """An answer as it came: the bytes are those of the body, content codings removed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names and values in the order received, names as spelt."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the first header line of that name, whatever its case."""
        return self._first.get(name.lower())

    @cached_property
    def _first(self) -> dict[str, str]:
        return {name.lower(): value for name, value in reversed(self.headers)}

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case; empty where there is no Content-Type."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def _parsed(self) -> tuple[Any, str | None]:
        return parse(self.body)

    @property
    def json(self) -> Any:
        """The body as JSON, as far as a lenient reader gets; None where there is none."""
        return self._parsed[0]

    @property
    def json_error(self) -> str | None:
        """Why the body is not exactly one JSON text (RFC 8259), or None."""
        return self._parsed[1]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer or failure. Spans are seconds on the run's monotonic clock."""

    request: Request
    number: int
    """The record's number in the run."""
    url: str
    request_id: str
    """The X-Request-Id that we sent."""
    sent_headers: tuple[tuple[str, str], ...]
    """Redacted."""
    at: str
    """Wall-clock time of sending, RFC 3339, UTC."""
    planned_s: float
    sent_s: float
    first_byte_s: float | None = None
    last_byte_s: float | None = None
    response: Response | None = None
    failure: Failure | None = None
    media: tuple[Exchange, ...] = ()
    """The fetches of the pictures that the answer named by URL, in their order."""
    attempt: int = 1
    """1, or which repetition after a transient error."""
    received_at: float = 0.0
    """Wall-clock seconds since the epoch when the answer was complete."""
    bare_lf: bool | None = None
    """Whether a line of the answer's head ends in LF without CR; None: nobody looked."""
    secrets_seen: tuple[str, ...] = field(default=())
    """Where in the answer one of our keys stood: `body`, `header x-…`, `url`."""

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else None

    @property
    def succeeded(self) -> bool:
        return self.response is not None and 200 <= self.response.status < 300
