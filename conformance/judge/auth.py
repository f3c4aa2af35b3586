"""Authentication: who is let in, and what is said to those who are not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, finding
from testcard.core.exchange import Response
from testcard.core.record import Finding

# A challenge may stand anywhere in a list, and a comma needs no space after it (RFC 9110, sections 5.6.1 and 11.6.1).
_BEARER = re.compile(r"(?:^|,)[ \t]*bearer(?=[ \t,]|$)", re.IGNORECASE)
_LONG = 1000
"""Characters of an Authorization that a head may have no room for."""


def judge(evidence: Evidence) -> Iterator[Finding]:
    request, response = evidence.request, evidence.response
    if response is None or request.in_the_clear or evidence.contract.target.auth != "bearer":
        return
    if request.to_generate and not request.credentialed and evidence.final and response.status != 429:
        yield _stranger(evidence, response.status)
    if request.presented == "lower-case scheme" and evidence.final and response.status != 429:
        yield finding("auth.scheme-case", response.status not in (401, 403), "let in", answer(evidence))
    if response.status == 401:
        challenges = [value for name, value in response.headers if name.lower() == "www-authenticate"]
        yield finding(
            "auth.challenge",
            any(_BEARER.search(value) for value in challenges),
            "WWW-Authenticate: Bearer …",
            f"WWW-Authenticate: {challenges[0]}" if challenges else "no WWW-Authenticate",
        )
    seen = [*evidence.exchange.secrets_seen, *_echoes(request.authorization, response)]
    seen += [f"{where} of a picture" for fetch in evidence.exchange.media for where in fetch.secrets_seen]
    yield finding("auth.key-not-echoed", not seen, "an answer without the key", f"the key stands in {', '.join(seen)}")


def _echoes(authorization: str | None, response: Response) -> Iterator[str]:
    """Where an answer repeats the wrong key that was sent; the name of a scheme alone is no key."""
    token = (authorization or "").rpartition(" ")[2]
    if token in ("", "Bearer"):
        return
    if token.encode() in response.body:
        yield "the body (the wrong key that was sent)"
    yield from (
        f"the header {name} (the wrong key that was sent)" for name, value in response.headers if token in value
    )


def _stranger(evidence: Evidence, status: int) -> Finding:
    """Who is not to be let in, is refused with 401; a key in another place is just not to be used."""
    name = _requirement(evidence)
    if name == "auth.key-in-query":
        unused = 400 <= status < 500 and status != 402  # some refuse a parameter or member that they do not know
        return finding(name, unused, "401", answer(evidence))
    if name == "auth.malformed-credentials" and _unreadable(evidence.request.authorization or ""):
        # What is no text, or long, a proxy may turn away before anybody looks at it (400, 431).
        return finding(name, 400 <= status < 500, "401 or another refusal", answer(evidence))
    return finding(name, status == 401, "401", answer(evidence))


def _unreadable(authorization: str) -> bool:
    return not authorization.isascii() or len(authorization) > _LONG


def _requirement(evidence: Evidence) -> str:
    """Which requirement an uncredentialed request is about."""
    request = evidence.request
    if request.judges[:1] and request.judges[0].startswith("auth."):
        return request.judges[0]
    if request.presented != "bearer":
        return "auth.malformed-credentials"
    if request.authorization is None:
        return "auth.missing-key"
    if request.violations:
        return "auth.before-validation"
    scheme, _, token = request.authorization.partition(" ")
    return "auth.wrong-key" if scheme == "Bearer" and token.strip() else "auth.malformed-credentials"
