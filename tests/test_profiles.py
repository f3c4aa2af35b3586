"""Profiles and fields of the request: a target differs from another in data, and each is judged by its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from testcard import schemas
from testcard.conformance import CheckOptions
from testcard.conformance.opening import open_session
from testcard.conformance.session import Session
from testcard.conformance.suite import begin, finish, planned_requests, suite
from testcard.core.errors import UsageError
from testcard.core.target import Keyring
from testcard.core.targetfile import find_target, profile_target
from testcard.load.payload import request_of
from testcard.load.planning import plan_load
from testcard.mock_server import MockSettings, running
from wild_check import assert_found, assert_spotless, examine
from wild_server import Reply, Wild, declare

ABOUT_FORMAT = {
    "generate.b64-json", "generate.url", "generate.response-format-invalid", "generate.response-format-type",
}  # fmt: skip


@pytest.mark.parametrize("name", schemas.profiles())
def test_a_profile_says_in_a_line_what_it_is(name: str) -> None:
    """Each is a target of its own name, with a line for people that fits a terminal."""
    target = profile_target(name)
    assert target.name == name
    assert 10 < len(target.about) <= 90
    assert "\n" not in target.about


@pytest.mark.parametrize("name", schemas.profiles())
def test_what_a_target_does_not_take_is_never_sent(name: str) -> None:
    """Neither a check nor load sends such a field, well or badly filled."""
    target = profile_target(name)
    refused = {field for field, rule in target.request.items() if rule is False}
    session = Session(target, Keyring(target, {}), CheckOptions(thorough=True))
    try:
        requests = planned_requests(session, tuple(schemas.requirements()))
        unmet = {row: skip.outcome for row in ABOUT_FORMAT if (skip := session.unmet(row))}
    finally:
        session.close()
    plan = plan_load(target)
    sent = [*requests, request_of(plan, plan.schedule()[0])]
    assert len(sent) > 40
    assert not {field for request in sent for field in refused & request.fields.keys()}
    if "response_format" in refused:
        assert unmet == dict.fromkeys(ABOUT_FORMAT, "not-applicable")


def test_load_refuses_the_option_that_the_target_does_not_take() -> None:
    """--response-format on a model that has no such field is a mistake, said before anything is sent."""
    with pytest.raises(UsageError, match="takes no response_format"):
        plan_load(profile_target("gpt-image-2"), response_format="b64_json")


RULES: dict[str, Any] = {
    "response_format": False,
    "quality": {"type": ["string", "null"], "enum": ["low", "high"]},
    "output_compression": {"type": "integer", "minimum": 0, "maximum": 100},
}


class GptImage(Wild):
    """Base64 only, a refusal for response_format, and two fields more, as OpenAI's own models have them."""

    dialect = "openai"
    formats: ClassVar[tuple[str, ...]] = ("b64_json",)
    declares = declare(response_formats=["b64_json"], default_response_format="b64_json", request=RULES)

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        if "response_format" in fields:
            return self.refusal("Unknown parameter: 'response_format'.", "response_format")
        return self.further(fields) or super().inspect(fields)

    def further(self, fields: dict[str, Any]) -> Reply | None:
        if fields.get("quality", "low") not in ("low", "high"):
            return self.refusal("quality: low or high.", "quality")
        compression = fields.get("output_compression", 0)
        if isinstance(compression, bool) or not isinstance(compression, int) or not 0 <= compression <= 100:
            return self.refusal("output_compression: 0 to 100.", "output_compression")
        return None

    def validate(self, ask: Any) -> Reply | None:
        body = super().validate(ask)
        sent = json.loads(ask.body) if body is None and ask.path != "/models" else {}
        if "output_compression" in sent and sent["output_compression"] is None:
            return self.refusal("output_compression: 0 to 100.", "output_compression")
        return body


class IgnoresQuality(GptImage):
    """Whatever quality was asked for, the usual one comes."""

    def further(self, fields: dict[str, Any]) -> Reply | None:
        return super().further({name: value for name, value in fields.items() if name != "quality"})


def test_a_server_without_the_field_is_judged_without_it() -> None:
    """What rejects response_format keeps its contract, its other fields are tried, and four rows do not apply."""
    examined = examine(GptImage())
    assert_spotless(examined, GptImage)
    assert examined.of("not-applicable").keys() >= ABOUT_FORMAT
    assert "generate.declared-field" in examined.of("pass")
    assert "generate.default-format" in examined.of("pass")


def test_a_declared_field_that_is_ignored_is_found() -> None:
    """A quality that the declaration forbids, answered with a picture."""
    assert_found(examine(IgnoresQuality()), "generate.declared-field", ())


BAD_RULES: Mapping[str, Any] = {
    "a word": "no",
    "true": {"seed": True},
    "an unknown keyword": {"seed": {"minimun": 1}},
    "an unknown type": {"seed": {"type": "int"}},
    "an enum of numbers": {"seed": {"enum": [1, 2]}},
    "a bound that is none": {"seed": {"maximum": "ten"}},
    "nothing": {"seed": {}},
}


@pytest.mark.parametrize("rules", BAD_RULES.values(), ids=BAD_RULES)
def test_a_wrong_rule_is_one_sentence(rules: Any, tmp_path: Any) -> None:
    """What is no rule is refused with the field that it stands at."""
    with pytest.raises(UsageError, match=r"\[target.request\]") as error:
        find_target(None, {"base_url": "http://127.0.0.1:1/v1", "request": rules}, tmp_path)
    assert "\n" not in str(error.value)


# One server, three contracts: what each of them has against it.


class Plain(Wild):
    """message and type, and 422 for a body that it refuses."""

    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(422, message, param)


class Numbered(Plain):
    """The same with the status as code."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        del param
        return self.reply({"error": {"message": message, "type": self.slug(status), "code": status}}, status)


class OwnWords(Plain):
    """The same with slugs of its own."""

    def slug(self, status: int) -> str:
        return f"e{status}"


SLUGGED = {"error.authentication", "error.credits", "error.not-found"}
VERDICTS: tuple[tuple[type[Wild], str, set[str]], ...] = (
    (Plain, "page", set()),
    (Plain, "vendor", {"error.code"}),  # which is the status there
    (Plain, "openai", {"error.refusal-400"}),  # where 400 is usual
    (Numbered, "page", set()),
    (Numbered, "vendor", set()),
    (Numbered, "openai", {"error.code", "error.refusal-400"}),  # a string or null there
    (OwnWords, "page", SLUGGED),
    (OwnWords, "vendor", SLUGGED | {"error.code"}),
    (OwnWords, "openai", {"error.refusal-400"}),  # which says nothing about slugs
)


@pytest.mark.parametrize(
    ("kind", "dialect", "broken"), VERDICTS, ids=[f"{kind.__name__} as {dialect}" for kind, dialect, _ in VERDICTS]
)
def test_each_dialect_has_its_own_verdict(kind: type[Wild], dialect: str, broken: set[str]) -> None:
    """The same server, held to three contracts, breaks what that contract asks and nothing else."""
    wild = kind()
    wild.declares = declare(dialect=dialect)
    examined = examine(wild)
    assert examined.unanswered is None
    assert examined.of("fail", "warn").keys() == broken
    assert {examined.results[name].level for name in broken} <= {"MUST", "SHOULD"}


@pytest.mark.parametrize(
    ("speaks", "dialect", "broken"),
    [
        ("page", "vendor", {"error.code"}),
        ("vendor", "page", set()),
        ("vendor", "openai", {"error.code"}),
    ],
)
def test_the_mock_is_judged_by_the_contract_that_is_named(speaks: str, dialect: str, broken: set[str]) -> None:
    """The bundled mock in one dialect, judged as another."""
    with running(MockSettings(dialect=speaks, window_s=1.0)) as base_url:
        target = replace(profile_target("mock"), base_url=base_url, dialect=dialect)
        session = Session(target, Keyring(target, {}), CheckOptions(only=("error",)))
        try:
            open_session(session)
            table = {name: cases for name, cases in suite().items() if name.startswith(("error.", "generate."))}
            begin(session, list(table.items()))
            for name in table:
                finish(session, name)
        finally:
            session.close()
    assert {name for name in table if session.tally.result(name).outcome in ("fail", "warn")} == broken
