"""The error envelope, and each documented error."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("error.envelope", case.malformed)
def test_envelope(verify: Verify) -> None:
    """Every error is {"error": {…}} with a message and a type, both strings, the message not empty."""
    verify()


@requirement("error.code", case.malformed)
def test_code(verify: Verify) -> None:
    """error.code and error.param have the types that the dialect gives them."""
    verify()


@requirement("error.refusal-status", case.malformed)
def test_refusal_status(verify: Verify) -> None:
    """A body that the contract forbids is refused with 400, 413, 415 or 422."""
    verify()


@requirement("error.refusal-400", case.malformed)
def test_refusal_400(verify: Verify) -> None:
    """A body that the contract forbids is refused with 400."""
    verify()


@requirement("error.authentication", case.keyless)
def test_authentication(verify: Verify) -> None:
    """A 401 carries the documented slug, and nothing in it invites a retry."""
    verify()


@requirement("error.credits", case.empty_wallet)
def test_credits(verify: Verify) -> None:
    """A 402 carries the documented slug, and nothing in it invites a retry."""
    verify()


@requirement("error.empty-wallet", case.empty_wallet)
def test_empty_wallet(verify: Verify) -> None:
    """A request on an empty wallet is refused with 402, and brings no picture."""
    verify()


@requirement("error.not-found", case.unknown_model)
def test_not_found(verify: Verify) -> None:
    """A 404 carries the documented slug, and nothing in it invites a retry."""
    verify()


@requirement("error.rate-limit")
def test_rate_limit(verify: Verify) -> None:
    """A 429 carries the documented slug, and nothing in it forbids a retry."""
    verify()


@requirement("error.server")
def test_server(verify: Verify) -> None:
    """A 500 carries the documented slug, and nothing in it forbids a retry."""
    verify()


@requirement("error.unavailable")
def test_unavailable(verify: Verify) -> None:
    """A 503 carries the documented slug, and nothing in it forbids a retry."""
    verify()


@requirement("error.no-internals", case.malformed)
def test_no_internals(verify: Verify) -> None:
    """No error shows the inside of the server: no stack trace, no path on its disk, no database's error, no key."""
    verify()


@requirement("error.no-addresses", case.malformed)
def test_no_addresses(verify: Verify) -> None:
    """No error names an address or a host of the server's own network."""
    verify()


@requirement("error.no-picture")
def test_no_picture(verify: Verify) -> None:
    """An error brings no picture: nobody pays for what is refused."""
    verify()


@requirement("error.retry-after")
def test_retry_after(verify: Verify) -> None:
    """A Retry-After on a 5xx is whole seconds or an HTTP date."""
    verify()


@requirement("error.retry-after-ms")
def test_retry_after_ms(verify: Verify) -> None:
    """Where retry-after-ms and Retry-After stand in one answer, they name the same wait."""
    verify()


@requirement("error.param", case.prompt_missing)
def test_param(verify: Verify) -> None:
    """Where error.param names a field of the request, it is one that is at fault."""
    verify()


@requirement("error.deterministic")
def test_deterministic(verify: Verify) -> None:
    """The same refused body gets the same status every time."""
    verify()
