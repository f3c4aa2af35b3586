"""Authentication: who is let in, and what is said to those who are not."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, answer, finding
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    request, response = evidence.request, evidence.response
    if response is None or evidence.contract.target.auth != "bearer":
        return
    if request.to_generate and not request.credentialed and evidence.final and response.status != 429:
        yield finding(_requirement(evidence), response.status == 401, "401", answer(evidence))
    if response.status == 401:
        challenges = [value for name, value in response.headers if name.lower() == "www-authenticate"]
        yield finding(
            "auth.challenge",
            any(scheme in f" {value.lower()}," for value in challenges for scheme in (" bearer ", " bearer,")),
            "WWW-Authenticate: Bearer …",
            f"WWW-Authenticate: {challenges[0]}" if challenges else "no WWW-Authenticate",
        )
    seen = list(evidence.exchange.secrets_seen)
    token = (request.authorization or "").rpartition(" ")[2]
    if token and token.encode() in response.body:
        seen.append("the body (the wrong key that was sent)")
    yield finding("auth.key-not-echoed", not seen, "an answer without the key", f"the key stands in {', '.join(seen)}")


def _requirement(evidence: Evidence) -> str:
    """Which requirement an uncredentialed request is about."""
    request = evidence.request
    if request.authorization is None:
        return "auth.missing-key"
    if request.violations:
        return "auth.before-validation"
    scheme, _, token = request.authorization.partition(" ")
    return "auth.wrong-key" if scheme == "Bearer" and token.strip() else "auth.malformed-credentials"
