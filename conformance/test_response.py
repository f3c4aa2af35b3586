"""The success envelope."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("response.data", case.standard)
def test_data(verify: Verify) -> None:
    """A 200 is an object whose data is a list of at least one object."""
    verify()


@requirement("response.created", case.standard)
def test_created(verify: Verify) -> None:
    """created is the time of the answer as an integer of Unix seconds."""
    verify()


@requirement("response.no-error", case.standard)
def test_no_error(verify: Verify) -> None:
    """A 200 carries no error: the status tells the truth."""
    verify()


@requirement("response.one-representation", case.standard)
def test_one_representation(verify: Verify) -> None:
    """An item carries the requested representation only: the other one is absent, not null and not sent as well."""
    verify()
