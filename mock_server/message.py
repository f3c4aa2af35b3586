"""What goes into the gateway and what comes out: no HTTP library beyond this point.

Rule 1: a Call is complete; its body has been read.
Rule 2: an Answer is a value until the very end, so that a fault can change any part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testcard.mock_server.promise import Promise

GENERATIONS = "/v1/images/generations"
MODELS = "/v1/models"
METHODS: Mapping[str, tuple[str, ...]] = {GENERATIONS: ("POST",), MODELS: ("GET", "HEAD")}
"""What each endpoint can be asked with."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By name in lower case; of a repeated header the first."""
    body: bytes
    origin: str
    """Scheme, host and port under which the client reached us: `http://127.0.0.1:8600`."""
    request_id: str
    """The client's own, or a fresh one."""
    promise: Promise
    query: str = ""
    """What stands behind the question mark."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What a fault remembers from one call to the next; the server's, not the call's."""

    @property
    def credentials(self) -> tuple[str, str]:
        """The scheme in lower case and what follows it."""
        scheme, _, rest = self.headers.get("authorization", "").strip().partition(" ")
        return scheme.lower(), rest.strip()

    @property
    def key(self) -> str | None:
        """The bearer token, or None."""
        scheme, token = self.credentials
        return token if scheme == "bearer" and token else None

    @property
    def asks_for_pictures(self) -> bool:
        return self.method == "POST" and self.path == GENERATIONS

    def with_header(self, name: str, value: str) -> Call:
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True, slots=True)
class Order:
    """A valid generation."""

    prompt: str
    model: str
    n: int
    size: str
    format: str
    """`url` or `b64_json`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is bytes."""

    status: int
    document: Any = None
    """The JSON value that the body will be."""
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    """The body itself, in place of the document."""
    media_type: str | None = "application/json"
    framing: str = "whole"
    """`short`: closes before the announced end; `unended`: chunked, and closes before the last chunk; `dropped`: closes
    without an answer."""
    order: Order | None = None
    """What it answers with pictures."""

    @property
    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.status == 204:
            return b""
        return json.dumps(self.document, ensure_ascii=False).encode("utf-8", "replace")

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_headers(self, headers: Mapping[str, str | None]) -> Answer:
        """With these header lines in place of any of the same name; None takes a line away."""
        names = {name.lower() for name in headers}
        kept = tuple(line for line in self.headers if line[0].lower() not in names)
        added = tuple((name, value) for name, value in headers.items() if value is not None)
        return replace(self, headers=kept + added)
