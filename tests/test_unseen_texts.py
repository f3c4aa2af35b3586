"""Defects of real servers in prompts, slugs and further fields that they did not think of.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import MODEL, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


class Failing(Wild):
    """Fails where a body is of some kind."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        return self.error(500, "It failed.") if self.fails(fields) else super().inspect(fields)

    def fails(self, fields: dict[str, Any]) -> bool:
        raise NotImplementedError


@defect("generate.prompt-odd", "error.server")
class NothingAfterStrip(Failing):
    """A prompt of white space alone is no empty one, until it is stripped."""

    def fails(self, fields: dict[str, Any]) -> bool:
        prompt = fields.get("prompt")
        return isinstance(prompt, str) and prompt != "" and not prompt.strip()


@defect("generate.prompt-odd", "error.server")
class WritesXml(Failing):
    """Control characters that XML cannot say."""

    def fails(self, fields: dict[str, Any]) -> bool:
        prompt = fields.get("prompt")
        return isinstance(prompt, str) and re.search(r"[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe]", prompt) is not None


@defect("generate.model-malformed", "error.server")
class LabAndName(Failing):
    """`lab, name = model.split("/")`."""

    def fails(self, fields: dict[str, Any]) -> bool:
        model = fields.get("model")
        return isinstance(model, str) and model.count("/") != 1


@defect("generate.model-unknown")
class NamesWithoutALab(Wild):
    """What names no lab is routed to the model that happens to be there."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        model = fields.get("model")
        if isinstance(model, str) and "/" not in model:
            fields["model"] = MODEL
        return super().inspect(fields)


@defect("generate.unnamed-form", "error.server")
class UserIsText(Failing):
    """`user.strip()`, before anything is looked at."""

    def fails(self, fields: dict[str, Any]) -> bool:
        return not isinstance(fields.get("user", ""), str)


@defect("generate.openai-fields", "error.server", "generate.no-lasting-error")
class NullIsNoStyle(Wild):
    """A look-up in a table that has no row for null, which the server of these tests leaves out of its fields."""

    def validate(self, ask: Any) -> Reply | None:
        return self.error(500, "It failed.") if b'"style": null' in ask.body else super().validate(ask)
