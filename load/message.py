"""The message of each arrival. All but the request id, the body and its length is the same each time, and made once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from testcard.core.exchange import Request
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, Target, header_values
from testcard.core.wire import request_headers

_NODE = 1 << 48
_SAFE = "/%:=&?~#+!$,;'@()*[]"


class Messages:
    """The messages of one worker's requests, which differ in nothing but their bodies; and how they are shown.

    Args:
        like: one of the requests.

    Raises:
        ValueError: a header of the target cannot be sent.
    """

    def __init__(self, target: Target, keyring: Keyring, redactor: Redactor, like: Request) -> None:
        key = keyring.get(like.key) if like.key and target.auth == "bearer" else None
        self._ids = _request_ids()
        marker = next(self._ids)
        lines = request_headers(header_values(target), like, key, marker)
        self._before, *after = head(like.method, target.base_url + like.path, lines).split(marker.encode())
        self._after = after[0] if after else b""
        self._marked = bool(after)
        shown = [(line[0], line[1]) for line in redactor.headers(lines)]
        self._named = [name for name, value in shown if value == marker][:1]
        place = next((place for place, line in enumerate(shown) if line[1] == marker), len(shown))
        self._shown = tuple(shown[:place]), tuple(shown[place + 1 :])

    def next(self, body: bytes) -> tuple[str, bytes]:
        """A new request id, and the message that carries it."""
        request_id = next(self._ids)
        own = request_id.encode() if self._marked else b""
        return request_id, b"%b%b%bContent-Length: %d\r\n\r\n%b" % (self._before, own, self._after, len(body), body)

    def shown(self, request_id: str) -> tuple[tuple[str, str], ...]:
        """The header lines of a message, redacted."""
        before, after = self._shown
        return (*before, *[(name, request_id) for name in self._named], *after)


def _request_ids() -> Iterator[str]:
    """UUIDs (RFC 9562, version 4), the first random and each one greater than the last: a tenth of the time."""
    first = uuid.uuid4()
    front, node = str(first)[:24], first.node
    while True:
        yield f"{front}{node:012x}"
        node = (node + 1) % _NODE


def head(method: str, url: str, headers: list[tuple[str, str]]) -> bytes:
    """The lines in front of a request's body, but for its length and the empty line.

    Raises:
        ValueError: such lines cannot be sent.
    """
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header holds a line break")
    return "\r\n".join([*lines, ""]).encode("latin-1", "replace")
