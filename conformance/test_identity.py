"""Request ids."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("identity.request-id", case.own_id)
def test_request_id(verify: Verify) -> None:
    """Every answer carries an x-request-id, and no two answers the same one."""
    verify()


@requirement("identity.request-id-echoed", case.standard)
def test_request_id_echoed(verify: Verify) -> None:
    """An X-Request-Id that the client sends comes back unchanged."""
    verify()


@requirement("identity.request-id-safe", case.hostile_request_id)
def test_request_id_safe(verify: Verify) -> None:
    """An X-Request-Id that is long, not ASCII, or hides a line break does no harm: no 5xx, no new header line."""
    verify()
