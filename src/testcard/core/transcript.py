"""What is read off an exchange, and what is kept of it. Knows no HTTP client: whoever sent it hands it in."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pybase64

from testcard.core.exchange import Exchange, Request, Response
from testcard.core.judgement import Judgement
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.servertiming import server_times

MOST_REDIRECTS = 3
"""How far a picture's URL is followed."""
MOST_BYTES = 128 * 1024 * 1024
"""A longer answer is not read to its end, nor unpacked."""
_MOST_PICTURES = 100
_SHORT = 16 * 1024
_LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/=_-]{200}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_-]*")
_LONGEST_WORD = 15
_GZIP = b"\x1f\x8b"
_MORE = 4
"""How many times what an excerpt may hold is looked at: without secrets and signatures it is shorter."""


def record_of(
    exchange: Exchange,
    judgement: Judgement,
    *,
    redactor: Redactor,
    phase: str,
    billed: int,
    reproduce: str | None,
    brief: bool = False,
    picture_of: int | None = None,
    **more: Any,
) -> Record:
    """What is kept of an exchange.

    Args:
        brief: leave out headers and the request's body: one of thousands that are alike, and nothing was wrong.
        picture_of: the number of the record that named the picture, where the exchange is its second fetch.
        more: further fields of the record.
    """
    request, response = exchange.request, exchange.response
    if "held" not in more:
        more["held"] = judgement.held
    wrong = bool(judgement.broken) or response is None or response.status >= 400
    fetches = exchange.media if picture_of is None else (exchange,)
    return Record(
        number=exchange.number,
        case=request.case,
        phase=phase,
        at=exchange.at,
        method=request.method,
        url=redactor.text(exchange.url),
        key=request.key if request.credentialed else None,
        request_id=exchange.request_id,
        request_headers=() if brief else exchange.sent_headers,
        request_body=None if brief else _body_text(request, redactor),
        violates=tuple(violation.sentence() for violation in request.violations),
        reproduce=reproduce,
        status=exchange.status,
        headers=redactor.headers(response.headers) if response and not brief else (),
        body=excerpt(response, redactor) if response and wrong else None,
        shape=shape(response) if response else None,
        size_bytes=len(response.body) if response else None,
        server_s=server_times(response) if response else None,
        failure=f"{exchange.failure.kind}: {exchange.failure.message}" if exchange.failure else None,
        planned_s=round(exchange.planned_s, 6),
        sent_s=round(exchange.sent_s, 6),
        first_byte_s=_rounded(exchange.first_byte_s),
        last_byte_s=_rounded(exchange.last_byte_s),
        media_s=_rounded(max((fetch.last_byte_s for fetch in exchange.media if fetch.last_byte_s), default=None)),
        media_fetches=sum(1 for fetch in fetches if fetch.failure is None or fetch.failure.kind != "not-fetched"),
        picture_of=picture_of,
        images=billed,
        pictures=judgement.pictures,
        attempt=exchange.attempt,
        broken=judgement.broken,
        **more,
    )


def _body_text(request: Request, redactor: Redactor) -> str | None:
    return redactor.text(request.body.decode("utf-8", "backslashreplace"))[:4000] if request.body else None


def excerpt(response: Response, redactor: Redactor, most: int = 2000) -> str:
    """The beginning of a body as text, pictures replaced by their length, without secrets."""
    # Of a key that is cut before it is redacted a half would stay; of a signature that is cut nothing does.
    return redactor.text(_opening(redactor.data(response.body), _MORE * most))[:most]


def _opening(data: bytes, most: int) -> str:
    """About so many characters from its beginning, long base64 replaced by its length."""
    parts, begin = list[str](), 0
    while begin < len(data) and most > 0:
        run = _LONG_BASE64.search(data, begin, begin + most + 200)
        end = min(len(data), begin + most) if run is None else run.start()
        parts.append(data[begin:end].decode("utf-8", "backslashreplace"))
        most -= end - begin
        begin = end
        if run is not None:
            end = _end_of_base64(data, begin)
            parts.append(f"{data[begin : begin + 24].decode()}…({end - begin} characters)")
            most -= len(parts[-1])
            begin = end
    return "".join(parts)


def _end_of_base64(data: bytes, begin: int) -> int:
    """Where a run of its characters ends; what a decoder takes up to the next quote needs no looking at one by one."""
    end = data.find(b'"', begin)
    end = begin + ((len(data) if end < 0 else end) - begin) // 4 * 4
    try:
        pybase64.b64decode(memoryview(data)[begin:end], validate=True)
    except ValueError:
        end = begin
    found = _BASE64.match(data, end)
    return end if found is None else found.end()


def shape(response: Response) -> str:
    """The kind of body that an answer has: the top-level names of an object, the type of another JSON value,
    else the media type.
    """
    if not response.body:
        return "empty"
    match response.json:
        case dict() as body:
            return f"object{{{','.join(sorted(map(str, body))[:12])}}}"
        case list():
            return "array"
        case None:
            return response.media_type or "bytes"
        case value:
            return type(value).__name__


def media_urls(response: Response | None) -> tuple[str, ...]:
    """The URLs of the pictures that an answer names, in their order; of one that names hundreds, the first."""
    data = response.json.get("data") if response and isinstance(response.json, dict) else None
    items = data if isinstance(data, list) else []
    urls = [item["url"] for item in items if isinstance(item, dict) and isinstance(item.get("url"), str)]
    return tuple(urls[:_MOST_PICTURES])


def redirect(url: str, response: Response | None) -> str | None:
    """Where a picture's URL leads on, or None where it does not (RFC 9110, section 15.4); never from https to http."""
    location = response.header("location") if response and response.status in (301, 302, 303, 307, 308) else None
    if location is None:
        return None
    try:
        there = urljoin(url, location)
    except ValueError:
        return None
    return None if url.startswith("https:") and not there.startswith("https:") else there


def billed_images(exchange: Exchange) -> int:
    """How many images an answer bills, as far as a client can see: what a 2xx delivered, at least one."""
    if not exchange.succeeded or not exchange.request.to_generate:
        return 0
    body = exchange.response.json if exchange.response else None
    data = body.get("data") if isinstance(body, dict) else None
    return max(1, len(data)) if isinstance(data, list) else max(1, exchange.request.images)


def is_word(key: str) -> bool:
    """Whether a key is a word that an answer may hold by itself, as those are that stand in for a key (`openai`)."""
    return key.isalpha() and len(key) <= _LONGEST_WORD


def echoes(response: Response, redactor: Redactor) -> tuple[str, ...]:
    """Where in an answer one of the redactor's secrets stands: `the body`, `the header NAME`."""
    found = []
    if redactor.data(response.body) != response.body:
        found.append("the body")
    found += [f"the header {name}" for name, value in response.headers if redactor.holds_secret(f"{name}: {value}")]
    return tuple(found)


def may_hold_key(exchange: Exchange, redactor: Redactor) -> bool:
    """Whether one of the redactor's secrets could stand in an answer; False is certain, and quickly known."""
    response = exchange.response
    if response is None:
        return False
    lines = [f"{name}: {value}" for name, value in response.headers]
    lines += [fetch.url for fetch in exchange.media]
    head = "\n".join(lines).encode("utf-8", "surrogatepass")
    if len(response.body) < _SHORT:
        return redactor.may_hold(b"%b\n%b" % (head, response.body))  # which is one look for two
    return redactor.may_hold(head) or redactor.may_hold(response.body)


def unkeyed(exchange: Exchange, redactor: Redactor) -> Exchange:
    """The exchange without the keys that its answer repeats: a judge quotes it and cuts what it quotes, and of a
    key that is cut before it is redacted a half would stay.
    """
    response = exchange.response
    if response is None:
        return exchange

    def clean(text: str) -> str:
        return redactor.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    headers = tuple((clean(name), clean(value)) for name, value in response.headers)
    media = tuple(replace(fetch, url=clean(fetch.url)) for fetch in exchange.media)
    body = redactor.data(response.body)
    if headers == response.headers and body == response.body and media == exchange.media:
        return exchange  # which keeps what it has been parsed to
    response = Response(response.status, headers, body)
    return replace(exchange, response=response, media=media)


def decoded(data: bytes, coding: str) -> tuple[bytes, str | None]:
    """The body without its content codings, and what is wrong with them."""
    for name in reversed([part.strip().lower() for part in coding.split(",") if part.strip()]):
        if name == "identity":
            continue
        if name not in ("gzip", "x-gzip", "deflate"):
            return data, f"the body has the content coding {name}, which nobody asked for"
        plain, problem = _unpacked(data)
        if problem is not None:
            return data, f"the body is labelled {name} and {problem}"
        data = plain
    return data, None


def _unpacked(data: bytes) -> tuple[bytes, str | None]:
    """What gzip or zlib data stand for, and what is wrong with them: a series of members is one gzip (RFC 1952, 2.2),
    as a server sends it that packs an answer piece by piece.
    """
    parts: list[bytes] = []
    left = MOST_BYTES
    while not parts or data.startswith(_GZIP):
        unpacking = zlib.decompressobj(wbits=47)
        try:
            parts.append(unpacking.decompress(data, left))
        except zlib.error as error:
            return b"", f"is not: {error}"
        left -= len(parts[-1])
        if left <= 0:  # without a bound it would unpack whatever follows
            return b"", f"unpacks to {MOST_BYTES} bytes or more"
        if not unpacking.eof:
            return b"", "ends in the middle"
        data = unpacking.unused_data
    return b"".join(parts), None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
