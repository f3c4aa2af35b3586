"""What tells an answer from the others of its kind, so that thousands that are alike need be judged once.

Two exchanges of one likeness, judged by one contract and not in full, get the same findings: a likeness holds all
that a judge may look at. What is different in every answer stands in it by what a judge sees of it.

    a picture               its inspection: each one is decoded from base64 and looked at before there is a likeness
    the request's prompt    left out; an answer that says something of a prompt has no likeness
    X-Request-Id            whether there is one, and whether it is the one that was sent
    Content-Length          that it is there: whether it was right is for whoever framed the message to say
    x-ratelimit-*           whether they agree with each other
    a header that no judge knows by name    nothing of the server's inside stands in it

Everything else stands as it came, the clock to the second. What is broken is never taken for something else: an
exchange where one of these looks finds anything wrong has no likeness, and is judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from testcard.conformance.contract import Contract
from testcard.conformance.judge.limit import contradiction
from testcard.conformance.judge.response import leak_in
from testcard.conformance.picture import decoded, inspect
from testcard.core.exchange import Exchange, Request, Response
from testcard.core.record import Picture

AS_IT_CAME = frozenset(
    {
        "allow", "cache-control", "content-encoding", "content-type", "date", "location", "retry-after",
        "retry-after-ms", "transfer-encoding", "vary", "www-authenticate", "x-should-retry", "x-testcard-injected",
    }
)  # fmt: skip
"""Headers that judges know by name. One that is missing here, and in the table above, fails a test."""
_ID, _LENGTH, _RATE, _OTHER = "x-request-id", "content-length", "x-ratelimit-", "another"
_SEEN_INTO = (_OTHER, _RATE, _ID)
_KINDS: dict[str, str] = {}
_MOST_KINDS = 1000
_INLINE = re.compile(rb'"b64_json"\s*:\s*"')
_PROMPT = re.compile(rb'"prompt"\s*:\s*"[^"\\]*"')
_MOST_AROUND = 4096
"""Bytes of an answer beside its pictures: what says more speaks of itself."""


def _all_but(kind: type, *names: str) -> Callable[[Any], tuple[Any, ...]]:
    """The values of a dataclass; a field that is added later is among them."""
    return attrgetter(*[field.name for field in fields(kind) if field.name not in names])


_request = _all_but(Request, "case", "body")
_exchange = _all_but(
    Exchange, "request", "number", "request_id", "sent_headers", "at", "planned_s", "sent_s", "first_byte_s",
    "last_byte_s", "response", "received_at",
)  # fmt: skip


class Likeness(NamedTuple):
    """Of one exchange."""

    key: tuple[object, ...]
    """The same for all that are alike."""
    pictures: tuple[Picture, ...]
    """This exchange's own."""
    given_id: str | None
    """Its own X-Request-Id."""


def likeness(exchange: Exchange, contract: Contract) -> Likeness | None:
    """The likeness of a 200 whose pictures it holds itself, without anything wrong with them; else None.

    What it leaves out of an exchange (numbers, spans, our own text of a case) no judge looks at.
    """
    response, asked = exchange.response, exchange.request
    if response is None or response.status != 200 or exchange.failure or exchange.media or exchange.secrets_seen:
        return None
    if asked.authorization is not None:
        return None  # which is looked for in the answer
    headers = _headers(exchange, response, contract)
    body = _split(response.body) if headers is not None else None
    request = _PROMPT.split(asked.body or b"")
    if headers is None or body is None or len(request) > 2:
        return None
    lines, given_id = headers
    around, texts = body
    pictures, seen = list[Picture](), list[object]()
    for text in texts:
        data = decoded(text)
        found = inspect(data, full=False) if data is not None else None
        if found is None or found.problem is not None or found.leak is not None:
            return None
        picture = found.picture
        pictures.append(picture)
        seen.append((picture.format, picture.width_px, picture.height_px, found.blank, found.turned,
                     found.trailing_bytes))  # fmt: skip
    if len({picture.sha256 for picture in pictures}) < len(pictures):
        return None
    sent = tuple([line for line in exchange.sent_headers if line[1] != exchange.request_id])
    key = (
        around, lines, tuple(seen), tuple(request), int(exchange.received_at), sent,
        _exchange(exchange), _request(asked),
    )  # fmt: skip
    return Likeness(key, tuple(pictures), given_id)


def _split(body: bytes) -> tuple[tuple[bytes, ...], list[memoryview]] | None:
    """What stands around the pictures of an answer, and the text of each one."""
    view = memoryview(body)
    around, texts = list[bytes](), list[memoryview]()
    begin = size = 0
    while (found := _INLINE.search(body, begin)) is not None:
        end = body.find(b'"', found.end())
        if end < 0:
            return None
        around.append(body[begin : found.end()])
        texts.append(view[found.end() : end])
        size += found.end() - begin
        begin = end
    if not texts or size + len(body) - begin > _MOST_AROUND:
        return None
    around.append(body[begin:])
    for part in around:
        if b"prompt" in part or b"\\" in part:  # or spelt in another way
            return None
    return tuple(around), texts


def _headers(
    exchange: Exchange, response: Response, contract: Contract
) -> tuple[tuple[object, ...], str | None] | None:
    """What judges see of the header lines, and the answer's id."""
    lines, counted, given = list[object](), False, None
    for name, text in response.headers:
        kind = _KINDS.get(name) or _kind(name)
        if kind in _SEEN_INTO:
            ours = kind == _ID and text == exchange.request_id
            if (kind == _ID and given is not None) or (not ours and leak_in(name, text, contract) is not None):
                return None
            counted = counted or kind == _RATE
            given = text if kind == _ID else given
            lines.append(name)
        else:
            lines.append(name if kind == _LENGTH else (name, text))
    if counted and contradiction(response) is not None:
        return None
    lines.append((bool(given), given == exchange.request_id))
    return tuple(lines), given


def _kind(name: str) -> str:
    """Which row of the table a header belongs to; remembered by how it is spelt."""
    low = name.lower()
    kind = low if low in AS_IT_CAME or low in (_ID, _LENGTH) else _RATE if low.startswith(_RATE) else _OTHER
    if len(_KINDS) < _MOST_KINDS:
        _KINDS[name] = kind
    return kind
