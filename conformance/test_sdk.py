"""The official SDKs."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("sdk.request-form", case.sdk)
def test_request_form(verify: Verify) -> None:
    """A request in the form of the official SDKs, with all of their headers, is answered like any other."""
    verify()
