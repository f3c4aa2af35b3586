"""The error envelope, and each documented error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from testcard.conformance.judge.evidence import OPEN_FORMS, Evidence, broken, finding, held
from testcard.conformance.leak import inside_host, secret_or_path
from testcard.conformance.retryafter import BadRetryAfter, retry_after_ms, retry_after_s
from testcard.core.exchange import Response
from testcard.core.record import Finding

_BY_STATUS = {
    401: "error.authentication",
    402: "error.credits",
    404: "error.not-found",
    429: "error.rate-limit",
    500: "error.server",
    503: "error.unavailable",
}
# Forms of stack traces: Python, Java and .NET, JavaScript, Go, Ruby, PHP, Rust; in JSON a tab before them is `\\t`.
# And of what a database says to the server.
_INTERNALS = re.compile(
    rb"Traceback \(most recent call last\)"
    rb"|File \\?\"[^\"]+\.py\\?\", line \d+"
    rb"|(?:\b|\\[nt])at [\w.$<>]+\([\w.]+\.(?:java|kt|cs):\d+\)"
    rb"|\bin [^\s\"]+\.(?:cs|fs|vb):line \d+"
    rb"|(?:\b|\\[nt])at (?:[\w.<>$ ]+ \()?(?:file://)?/[^\s\"]+\.[cm]?[jt]s:\d+:\d+"
    rb"|\b(?:java|javax|jakarta|kotlin|org\.springframework)\.[\w.]+(?:Exception|Error)\b"
    rb"|goroutine \d+ \[|/[\w./-]+\.(?:rb|go|php|py):\d+|PHP Fatal error|panicked at [\w./-]+\.rs:\d+"
    rb"|psycopg2?\.errors\.\w|sqlalchemy\.exc\.\w|SQLSTATE\[|sqlite3\.\w*Error|\bORA-\d{5}:"
    rb"|You have an error in your SQL syntax|duplicate key value violates unique constraint"
    rb"|\bSELECT [\w*., ]+ FROM \w+ WHERE\b"
)

_FOR_CLIENTS = frozenset(
    {
        "access-control-allow-origin", "content-location", "content-security-policy", "link", "location", "report-to",
        "set-cookie", "via",
    }
)  # fmt: skip
"""Header fields that hold paths and addresses of the site, not of its disk; in Via a proxy is to name itself (RFC 9110,
section 7.6.3)."""
_ROUNDING_S = 2.0
"""A wait is rounded to whole seconds, or to one that a clock shows; a short one may be told as 1."""


def judge(evidence: Evidence) -> Iterator[Finding]:
    response = evidence.response
    if response is None or response.status < 400:
        return
    yield from _leaks(response, evidence)
    error, problem = _envelope(response)
    yield finding(
        "error.envelope",
        problem is None,
        '{"error": {"message": …, "type": …}}',
        f"{response.status}: {problem}",
    )
    yield finding("error.no-picture", not _pictures(response), "an error, and nothing but that", "pictures beside it")
    if error is not None:
        yield from _code(error, evidence)
        yield from _param(error, evidence)
    yield from _documented(error, evidence)
    if response.status >= 500 and response.header("retry-after") is not None:
        yield _retry_after(response)
    yield from _milliseconds(response)


def _leaks(response: Response, evidence: Evidence) -> Iterator[Finding]:
    """What an error tells of the server's inside that the request has not said itself, in its body or its head."""
    expected, request = "a message for the client", evidence.request
    asked = "\n".join(
        [
            (request.body or b"").decode("utf-8", "replace"),
            *(f"{value} {unquote(value)}" for _, value in evidence.exchange.sent_headers),
            request.authorization or "",
            evidence.exchange.url,
        ]
    )
    lines = [value for name, value in response.headers if name.lower() not in _FOR_CLIENTS]
    texts = [response.body.decode("utf-8", "replace"), *lines]
    trace = _INTERNALS.search(response.body)
    found = (secret_or_path(text, asked) for text in texts)
    shown = trace[0].decode("ascii", "replace") if trace else next(filter(None, found), None)
    yield finding("error.no-internals", shown is None, expected, f"{response.status} shows {shown}")
    if not evidence.contract.inside:
        hosts = (inside_host(text, evidence.contract.known_hosts, asked) for text in texts)
        host = next(filter(None, hosts), None)
        yield finding("error.no-addresses", host is None, expected, f"{response.status} shows {host}")


def _pictures(response: Response) -> bool:
    data = response.json.get("data") if isinstance(response.json, dict) else None
    items = data if isinstance(data, list) else []
    return any(isinstance(item, dict) and (item.get("url") or item.get("b64_json")) for item in items)


def _param(error: dict[str, Any], evidence: Evidence) -> Iterator[Finding]:
    """A field that is named, in whatever path, is one of those at fault, or one that is not there. Nobody has to name
    one. A form that no contract names (1.0 for n, n twice) may be at fault too: such a body says nothing.
    """
    if any(violation.requirement in OPEN_FORMS for violation in evidence.request.violations):
        return
    at_fault = {violation.field for violation in evidence.request.violations}
    if not at_fault or "body" in at_fault or not isinstance(error.get("param"), str):
        return
    known = evidence.contract.request_schema["properties"]
    named = {part for part in re.split(r"[^\w]+", error["param"]) if part in known}
    right = bool(at_fault & named)
    if right or named & evidence.fields.keys():
        yield finding("error.param", right, f"error.param: {' or '.join(sorted(at_fault))}", f"{error['param']}")


def _retry_after(response: Response) -> Finding:
    try:
        retry_after_s(response)
    except BadRetryAfter as error:
        return broken("error.retry-after", "whole seconds or an HTTP date", f"{response.status} with {error}")
    return held("error.retry-after")


def _milliseconds(response: Response) -> Iterator[Finding]:
    """Two waits in one answer: the SDKs keep the one in milliseconds, all others Retry-After. One may be rounded."""
    name, expected = "error.retry-after-ms", "the wait of Retry-After, in milliseconds"
    try:
        exact_s = retry_after_ms(response)
    except BadRetryAfter as error:
        yield broken(name, expected, f"{response.status} with {error}")
        return
    try:
        wait = retry_after_s(response)
    except BadRetryAfter:
        return  # another requirement's
    rounded_s = wait.seconds
    # A date of a server that tells no time may be one of any clock.
    if exact_s is not None and not (wait.by_date and response.header("date") is None):
        said = f"retry-after-ms: {response.header('retry-after-ms')}, and {rounded_s:g} s in Retry-After"
        yield finding(name, abs(exact_s - rounded_s) <= _ROUNDING_S, expected, f"{response.status} with {said}")


def _envelope(response: Response) -> tuple[dict[str, Any] | None, str | None]:
    """The error object, as far as there is one, and what is wrong with the envelope."""
    body = response.json
    if not isinstance(body, dict):
        return None, f"the body is no JSON object ({response.media_type or 'no Content-Type'})"
    error = body.get("error")
    if not isinstance(error, dict):
        keys = ", ".join(sorted(map(str, body))[:5]) or "nothing"
        return (
            None,
            f"error is {type(error).__name__}, in an object with {keys}"
            if "error" in body
            else f"no error, but {keys}",
        )
    for name in ("message", "type"):
        if not isinstance(error.get(name), str):
            return error, f"error.{name} is {'absent' if name not in error else type(error[name]).__name__}"
    if not error["message"].strip():
        return error, "error.message is empty"
    return error, None


def _code(error: dict[str, Any], evidence: Evidence) -> Iterator[Finding]:
    dialect, status = evidence.contract.dialect, evidence.status
    if dialect.code == "status":
        code = error.get("code", "absent")
        right = isinstance(code, int) and not isinstance(code, bool) and code == status
        yield finding("error.code", right, f"error.code: {status}", f"error.code: {code!r}")
    elif dialect.code == "string-or-null":
        wrong = [name for name in ("code", "param") if not isinstance(error.get(name), str | None)]
        actual = ", ".join(f"error.{name}: {error[name]!r}" for name in wrong)
        yield finding("error.code", not wrong, "error.code and error.param: string or null", actual)


def _documented(error: dict[str, Any] | None, evidence: Evidence) -> Iterator[Finding]:
    """Slug and retryability of an error that the dialect documents."""
    response, status = evidence.response, evidence.status or 0
    row, name = evidence.contract.dialect.errors.get(status), _BY_STATUS.get(status)
    if row is None or name is None or response is None:
        return
    slug = error.get("type") if error else None
    if isinstance(slug, str) and row.types and slug not in row.types:
        yield broken(name, f"{status} with type {' or '.join(row.types)}", f"{status} with type {slug}")
        return
    advice = (response.header("x-should-retry") or "").lower()
    if row.retryable and advice == "false":
        yield broken(name, f"{status} is retryable", "x-should-retry: false")
    elif not row.retryable and advice == "true":
        yield broken(name, f"{status} is not retryable", "x-should-retry: true")
    elif not row.retryable and response.header("retry-after") is not None:
        yield broken(name, f"{status} is not retryable", f"Retry-After: {response.header('retry-after')}")
    elif isinstance(slug, str):
        yield held(name)
