"""The requests that every verdict rests on, before anything else is asked."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.gate import gate
from testcard.conformance.session import Session
from testcard.core.errors import NotJudged
from testcard.core.exchange import Exchange
from testcard.core.target import Keyring, Target

_WHATEVER_THE_BODY = (401, 402, 403, 429, 503)
"""What a good request is answered with for reasons that another body does not change."""


def open_session(session: Session) -> None:
    """Send the probes: a good request, one without a key, a malformed one.

    Raises:
        NotJudged: no good request got a 2xx, or all of them got the same; nothing else was sent.
    """
    target = session.contract.target
    exchanges: list[Exchange] = []
    for cases in (case.minimal, case.full, case.b64_json_alone):
        for request in cases(session.asker)[:1]:
            exchanges.append(session.send(request))  # noqa: PERF401  (one at a time)
        failure = exchanges[-1].failure
        if failure is not None and failure.kind in ("connect", "tls", "timeout"):  # also in the middle of a 200
            advice = _tls_advice(failure.message) if failure.kind == "tls" else ""
            raise NotJudged(f"{target.base_url} did not answer: {failure.message}{advice}")
        if exchanges[-1].succeeded:
            break
        if exchanges[-1].status in _WHATEVER_THE_BODY:
            raise NotJudged(_no_success(exchanges[0], session.keyring, target))
    else:
        raise NotJudged(_no_success(exchanges[0], session.keyring, target))
    if target.auth == "bearer":
        session.send(case.keyless(session.asker)[0])
    session.send(case.malformed(session.asker)[0])
    alike = gate(session.first)
    if alike is not None:
        raise NotJudged(alike)


def _tls_advice(message: str) -> str:
    """What to do, as far as OpenSSL's reason tells."""
    if "CERTIFICATE" in message or "certificate" in message:
        return "; ca_file in [target] names a private authority"
    return "; does this port speak TLS? If not, --base-url begins with http://"


def _no_success(exchange: Exchange, keyring: Keyring, target: Target) -> str:
    """Why a check could not begin, and what to do."""
    status, response = exchange.status, exchange.response
    body = response.json if response else None
    error = body.get("error") if isinstance(body, dict) else None
    said = f": {error.get('message', '')}"[:200].rstrip(".") if isinstance(error, dict) else ""
    got = f"was answered with {status}{said}" if status else f"had no answer: {str(exchange.failure).rstrip('.')}"
    start = f"no request with a good key got a 2xx; the first {got}"
    if target.auth == "bearer" and keyring.get("main") is None:
        return f"{start}; no key was sent: set {keyring.variable('main')}"
    advice = {
        401: f"check the key in {keyring.variable('main')}",
        402: "the wallet of this key is empty",
        404: "check --base-url, which ends in the version path (/v1), and --model",
        429: "the key's limit is used up: wait, or use another key",
    }
    if status is None:
        other = "http" if target.base_url.startswith("https:") else "https"
        return f"{start}; check that --base-url names a port that speaks HTTP, and whether it is {other}:// there"
    if 300 <= status < 400:
        return f"{start}; check --base-url: it leads to something that redirects, which no API does"
    return f"{start}; {advice.get(status, 'check --base-url, --model and the key')}"
