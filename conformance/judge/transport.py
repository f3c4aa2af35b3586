"""Transport: labels, framing, paths and methods."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, broken, finding, held
from testcard.core.exchange import GENERATIONS, MODELS
from testcard.core.record import Finding
from testcard.core.strictjson import repeated_name


def judge(evidence: Evidence) -> Iterator[Finding]:
    exchange, response = evidence.exchange, evidence.response
    if exchange.failure is not None and exchange.failure.kind == "framing":
        yield broken("transport.framing", "a whole message", exchange.failure.message)
        return
    if response is None:
        if evidence.final and exchange.failure is not None and exchange.failure.kind == "closed":
            yield broken("transport.framing", "an answer", f"the connection closed: {exchange.failure.message}")
        return
    yield held("transport.framing")
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
