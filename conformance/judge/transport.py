"""Transport: labels, framing, paths and methods."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, broken, finding, held
from testcard.core.exchange import GENERATIONS, MODELS, Response
from testcard.core.record import Finding
from testcard.core.strictjson import repeated_name

LARGE_BODY = "transport.large-body"
HEAD = "transport.head"
_ONCE = (
    "date", "content-type", "retry-after", "location", "etag", "last-modified", "expires", "age", "x-request-id",
)  # fmt: skip
"""Fields of one value; of Content-Length and Transfer-Encoding the framing tells."""
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_IMF_FIXDATE = re.compile(rf"{_DAY}, \d\d {_MONTH} \d{{4}} \d\d:\d\d:\d\d GMT")  # RFC 9110, section 5.6.7


def judge(evidence: Evidence) -> Iterator[Finding]:
    exchange, response = evidence.exchange, evidence.response
    if evidence.request.in_the_clear:
        yield from _in_the_clear(evidence)
        return
    yield from _tls(evidence)
    if evidence.request.judges[:1] == (HEAD,):
        yield from _head(evidence)
        return
    if evidence.request.judges[:1] == (LARGE_BODY,):
        yield from _large_body(evidence)
    if exchange.failure is not None and exchange.failure.kind == "framing":
        yield broken("transport.framing", "a whole message", exchange.failure.message)
        return
    if response is None:
        if evidence.final and exchange.failure is not None and exchange.failure.kind == "closed":
            yield broken("transport.framing", "an answer", f"the connection closed: {exchange.failure.message}")
        return
    both = response.header("content-length") is not None and response.header("transfer-encoding") is not None
    expected = "Content-Length or Transfer-Encoding"
    yield finding("transport.framing", not both, expected, "both: whoever reads the other one reads another message")
    if exchange.bare_lf is not None:
        yield finding("transport.line-ends", not exchange.bare_lf, "lines of the head end in CR LF", "LF alone")
    yield _once(response)
    yield from _coding(evidence, response)
    yield from _date(evidence, response)
    yield from _cacheable(response)
    if response.body and response.status >= 200 and not 300 <= response.status < 400:
        media_type = response.media_type
        yield finding(
            "transport.json-content-type",
            media_type == "application/json" or media_type.endswith("+json"),
            "Content-Type: application/json",
            f"{response.status} with Content-Type: {response.header('content-type') or 'none'}",
        )
        yield finding("transport.json-body", response.json_error is None, "one JSON text", str(response.json_error))
        if evidence.full and response.json_error is None:
            name = repeated_name(response.body)
            actual = f"{str(name)[:60]} twice in one object"
            yield finding("transport.json-unique-names", name is None, "each name once", actual)
    yield from _status(evidence)


def _coding(evidence: Evidence, response: Response) -> Iterator[Finding]:
    """Whether the content codings are among those that the client asked for."""
    lines = [value for name, value in evidence.exchange.sent_headers if name.lower() == "accept-encoding"]
    if not lines:
        return
    accepted = {name.partition(";")[0].strip().lower() for name in lines[0].split(",")} | {"identity"}
    used = {name.strip().lower() for name in (response.header("content-encoding") or "identity").split(",")}
    used = {name.removeprefix("x-") for name in used}  # x-gzip is gzip (RFC 9110, section 8.4.1.3)
    actual = f"Content-Encoding: {response.header('content-encoding')}"
    yield finding("transport.content-coding", used <= accepted, f"one of Accept-Encoding: {lines[0]}", actual)


def _date(evidence: Evidence, response: Response) -> Iterator[Finding]:
    """A server without a clock sends no Date, so its lack counts only beside a time that the server tells."""
    date = response.header("date")
    expected = "Date: such as Sun, 06 Nov 1994 08:49:37 GMT"
    if date is not None:
        yield finding(
            "transport.date", _IMF_FIXDATE.fullmatch(date.strip()) is not None, expected, f"Date: {date[:60]}"
        )
    elif evidence.generated and isinstance(response.json, dict) and isinstance(response.json.get("created"), int):
        yield broken("transport.date", expected, "created, and no Date")


def _once(response: Response) -> Finding:
    """Which of two lines counts, no document says: one reader takes the first, another joins them with a comma."""
    names = [name.lower() for name, _ in response.headers]
    twice = [name for name in _ONCE if names.count(name) > 1]
    lines = [f"{name}: {value[:60]}" for name, value in response.headers if name.lower() in twice[:1]]
    return finding("transport.single-fields", not twice, f"one {'/'.join(twice[:1])} line", "; ".join(lines[:3]))


def _head(evidence: Evidence) -> Iterator[Finding]:
    """As GET, without the content; a server need not know the method (RFC 9110, sections 9.1, 9.3.2 and 15.6.2)."""
    status = evidence.status
    if status is not None and evidence.final and status not in (429, 503):
        fine = status < 500 or status == 501
        yield finding(HEAD, fine, "as GET is answered, or a refusal", f"{status} for HEAD {evidence.request.path}")


def _cacheable(response: Response) -> Iterator[Finding]:
    """What is said of a key, a wallet or a limit is over sooner than any cache would know."""
    if response.status not in (401, 402, 429):
        return
    said = ", ".join(value for name, value in response.headers if name.lower() == "cache-control").lower()
    words = {name.strip(): value for name, _, value in (part.partition("=") for part in said.split(","))}
    lives = [words[name].strip(' "') not in ("", "0") for name in ("s-maxage", "max-age") if name in words]
    shared = response.status == 429 or "private" not in words
    fresh = any(lives) or ("public" in words and not lives)
    stored = shared and fresh and not words.keys() & {"no-store", "no-cache"}
    actual = f"{response.status} with Cache-Control: {said[:80]}"
    yield finding("transport.not-cacheable", not stored, "no leave to store it", actual)


def _tls(evidence: Evidence) -> Iterator[Finding]:
    target, failure = evidence.contract.target, evidence.exchange.failure
    if target.on_loopback:
        return
    if not evidence.exchange.url.startswith("https:"):
        yield broken("transport.tls", "https", f"the key goes to {evidence.exchange.url} for anyone to read")
    elif failure is not None and failure.kind == "tls":
        yield broken("transport.tls", f"a certificate that holds for {target.host}", failure.message)
    elif evidence.response is not None:
        yield held("transport.tls")


def _in_the_clear(evidence: Evidence) -> Iterator[Finding]:
    """What comes over http. A 401 tells nothing: whether a good key would be served there, nobody may try."""
    name, status = "transport.no-plain-http", evidence.status
    if status is not None and 200 <= status < 300:
        yield broken(name, "a refusal or a redirect", f"{answer(evidence)} over http")
    elif status != 401:
        yield held(name)


def _large_body(evidence: Evidence) -> Iterator[Finding]:
    """A body that is wrong as well as large: refused, whatever for. What is read into it, others judge."""
    failure, status = evidence.exchange.failure, evidence.status
    expected = "a refusal (413 or another 4xx)"
    if status is None and evidence.final and failure is not None and failure.kind in ("closed", "timeout", "framing"):
        # A server may refuse before it has read everything, but closing at once takes its answer with it: RFC 9112,
        # section 9.6, tells how to close in stages. After so many attempts nobody has ever seen one.
        yield broken(LARGE_BODY, expected, f"no answer: {failure.message}")
    elif status is not None and status >= 500 and evidence.final:
        yield broken(LARGE_BODY, expected, answer(evidence))
    elif status is not None and 400 <= status < 500 and status != 429:
        yield held(LARGE_BODY)


def _status(evidence: Evidence) -> Iterator[Finding]:
    request, response = evidence.request, evidence.response
    if response is None or not request.credentialed:
        return
    status = response.status
    if evidence.good and status < 400:
        yield finding(
            "transport.synchronous",
            status == 200,
            "200",
            f"{status} {response.header('location') or ''}".strip(),
        )
    if response.status == 405:
        lines = [value for name, value in response.headers if name.lower() == "allow"]
        allowed = ", ".join(lines) if lines else None  # one list, however many lines (RFC 9110, section 5.3)
        names = {name.strip().upper() for name in (allowed or "").split(",")}
        wanted = {GENERATIONS: "POST", MODELS: "GET"}.get(request.path)
        yield finding(
            "transport.allow",
            allowed is not None and (wanted is None or wanted in names),
            f"Allow: {wanted or 'the allowed methods'}",
            f"Allow: {allowed}" if allowed is not None else "no Allow",
        )
    if not evidence.final or status == 429:
        return
    if request.path not in (GENERATIONS, MODELS):
        body = response.json
        enveloped = isinstance(body, dict) and "error" in body
        yield finding(
            "transport.unknown-path",
            status in (404, 405) and enveloped,
            "404 or 405, in the error envelope",
            answer(evidence) + ("" if enveloped or status < 400 else ", without the envelope"),
        )
    elif request.path == GENERATIONS and request.method != "POST":
        yield finding("transport.wrong-method", status in (404, 405), "405 or 404", answer(evidence))
