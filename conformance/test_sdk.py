"""The official SDKs."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("sdk.request-form", case.sdk)
def test_request_form(verify: Verify) -> None:
    """A request in the form of the official SDKs, with all of their headers, is answered like any other."""
    verify()


@requirement("sdk.pictures", case.standard)
def test_pictures(verify: Verify) -> None:
    """An official SDK returns the pictures as the answer has them: created, and the url or b64_json of each."""
    verify()


@requirement("sdk.errors", case.malformed)
def test_errors(verify: Verify) -> None:
    """An error becomes the SDK's documented exception, with the message, type, code and request id of the answer."""
    verify()


@requirement("sdk.retries", case.malformed)
def test_retries(verify: Verify) -> None:
    """An official SDK tries again what is retryable, and no other error of the client's."""
    verify()
