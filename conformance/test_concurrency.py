"""Requests in flight at once: they are those that other requirements need, so that they cost nothing."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("concurrency.answered", case.together)
def test_answered(verify: Verify) -> None:
    """Good requests in flight at once are each answered: no connection is dropped for the company."""
    verify()


@requirement("concurrency.no-server-error", case.together)
def test_no_server_error(verify: Verify) -> None:
    """Good requests in flight at once get no server error that they would not get alone."""
    verify()


@requirement("concurrency.own-picture", case.together)
def test_own_picture(verify: Verify) -> None:
    """Of requests in flight at once, each gets its own pictures and nothing of another's."""
    verify()
