"""A server that nobody described, in OpenAI's dialect: its models differ, and none is accused of being another."""

from __future__ import annotations

from typing import Any

import pytest

from wild_check import Examined, examine
from wild_server import Reply, Wild, declare

UNDECLARED = ("sizes", "default_size", "max_n", "response_formats", "default_response_format")


class Undeclared(Wild):
    dialect = "openai"
    keys = ("main",)
    default_size = "512x512"
    declares = declare(**dict.fromkeys(UNDECLARED))


class AlwaysBase64(Undeclared):
    """As OpenAI's GPT image models: response_format is an unknown parameter, and base64 what comes."""

    formats = ("b64_json",)

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        known = "response_format" not in fields
        return super().inspect(fields) if known else self.refusal("Unknown parameter.", "response_format")


class OneAtATime(Undeclared):
    """As OpenAI has it of dall-e-3: only n = 1 is supported."""

    max_n = 1


class OneSize(Undeclared):
    """As many models on a machine of one's own."""

    def pixels(self, size: object) -> tuple[int, int] | None:
        return super().pixels(size) if size == self.default_size else None


CORRECT = (  # each with what it may refuse
    (AlwaysBase64, "generate.full", "response_formats"),
    (OneAtATime, "generate.n-honoured", "max_n"),
    (OneSize, "generate.full", "sizes"),
)


@pytest.mark.parametrize(("kind", "refused", "to_declare"), CORRECT, ids=lambda value: getattr(value, "__name__", ""))
def test_what_a_model_need_not_offer_is_not_judged(kind: type[Wild], refused: str, to_declare: str) -> None:
    """A refusal of what nobody declared accuses nobody, and the reason names the field to declare."""
    examined = examine(kind())
    assert not examined.of("fail", "warn")
    assert to_declare in str(examined.results[refused].reason)
    assert examined.results["generate.default-format"].outcome == "pass"


class DeclaredTwo(OneAtATime):
    declares = declare(sizes=None, default_size=None, max_n=10)


class PageBase64(AlwaysBase64):
    """The model page says url."""

    dialect = "page"


class OddStatus(OneAtATime):
    """n = 2 is met with a status that refuses no body."""

    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(403, message, param) if param == "n" else super().refusal(message, param)


WRONG = (
    (DeclaredTwo, "generate.n-honoured"),  # who declares it is held to it
    (PageBase64, "generate.default-format"),  # likewise whose documents do
    (OddStatus, "generate.n-honoured"),  # refused, but not as a body is
)


@pytest.mark.parametrize(("kind", "broken"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_promised_is_judged(kind: type[Wild], broken: str) -> None:
    """What the target or its dialect's documents promise stays a failure when it is refused."""
    examined: Examined = examine(kind())
    assert broken in examined.of("fail")


class BlamesTheOddForm(Wild):
    """It reads the fields in turn, and stops at the first that it dislikes: 1.0 is no integer to it."""

    dialect = "openai"

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        n = fields.get("n", 1)
        return self.refusal("n: an integer.", "n") if type(n) is not int else super().inspect(fields)


def test_param_may_name_a_form_that_no_contract_names() -> None:
    """A refusal of 1.0 for n that names n is not blamed for the prompt that is missing as well."""
    assert not examine(BlamesTheOddForm()).of("fail", "warn")
