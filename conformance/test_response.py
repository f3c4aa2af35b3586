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


@requirement("response.item-types", case.standard)
def test_item_types(verify: Verify) -> None:
    """url, b64_json and revised_prompt are strings wherever they stand in an item."""
    verify()


@requirement("response.no-null", case.standard)
def test_no_null(verify: Verify) -> None:
    """An optional member of the contract that has no value is absent, not null."""
    verify()


@requirement("response.echo-true", case.standard)
def test_echo_true(verify: Verify) -> None:
    """What a 200 says of its pictures is true: size, format, number, representation."""
    verify()


@requirement("response.model-echo", case.standard)
def test_model_echo(verify: Verify) -> None:
    """A 200 that names a model names the requested one."""
    verify()


@requirement("response.usage", case.standard)
def test_usage(verify: Verify) -> None:
    """usage, where there is one, is an object of counts that agree with each other and with the pictures."""
    verify()


@requirement("response.no-internals", case.standard)
def test_no_internals(verify: Verify) -> None:
    """A 200 shows nothing of the server's inside: no path on its disk, no key, no address of its own network."""
    verify()
