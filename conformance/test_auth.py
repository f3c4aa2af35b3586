"""Authentication: who is let in, and who is not."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("auth.missing-key", case.keyless)
def test_missing_key(verify: Verify) -> None:
    """A request without a key is refused with 401."""
    verify()


@requirement("auth.wrong-key", case.wrong_key)
def test_wrong_key(verify: Verify) -> None:
    """A key that nobody issued is refused with 401."""
    verify()


@requirement("auth.malformed-credentials", case.malformed_credentials)
def test_malformed_credentials(verify: Verify) -> None:
    """Credentials of another form are refused with 401: an empty token, another scheme, no scheme."""
    verify()


@requirement("auth.before-validation", case.wrong_key_and_body)
def test_before_validation(verify: Verify) -> None:
    """A wrong key is refused before the body is looked at: 401, whatever else is wrong."""
    verify()


@requirement("auth.challenge", case.keyless)
def test_challenge(verify: Verify) -> None:
    """A 401 carries a WWW-Authenticate challenge with the scheme Bearer."""
    verify()


@requirement("auth.key-not-echoed", case.standard)
def test_key_not_echoed(verify: Verify) -> None:
    """No answer repeats the key: not in its body, not in a header, not in a URL."""
    verify()


@requirement("auth.shortened-key", case.shortened_key)
def test_shortened_key(verify: Verify) -> None:
    """A key that lacks its end is refused with 401."""
    verify()


@requirement("auth.near-miss-key", case.near_miss_key)
def test_near_miss_key(verify: Verify) -> None:
    """A key that differs from a good one in a character, in case or by a suffix is refused with 401."""
    verify()


@requirement("auth.key-in-query", case.key_elsewhere)
def test_key_in_query(verify: Verify) -> None:
    """A key in the query string or in the body lets nobody in."""
    verify()


@requirement("auth.scheme-case", case.lower_case_scheme)
def test_scheme_case(verify: Verify) -> None:
    """The scheme may be written in any case: `bearer` lets in as `Bearer` does."""
    verify()
