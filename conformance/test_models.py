"""The list of models."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("models.list", case.models)
def test_list(verify: Verify) -> None:
    """GET /models answers with a list of models, each with an id."""
    verify()


@requirement("models.members", case.models)
def test_members(verify: Verify) -> None:
    """Each model of the list is as OpenAI's document has it: object model, created in seconds, owned_by a string."""
    verify()


@requirement("models.unknown", case.no_such_model)
def test_unknown(verify: Verify) -> None:
    """A model that the API does not have is not found by its name: a 4xx, never a 2xx or a 5xx."""
    verify()


@requirement("models.target-listed", case.models)
def test_target_listed(verify: Verify) -> None:
    """The model under test is in the list."""
    verify()
