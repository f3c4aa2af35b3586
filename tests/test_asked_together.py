"""Long and odd prompts and further fields, asked for at once: what it costs, and what is found all the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from testcard.conformance import CheckOptions, case
from testcard.conformance.probe.lasting import needed
from testcard.conformance.session import Session
from testcard.core.record import Record
from testcard.core.target import Keyring, Target
from wild_check import environment
from wild_server import MODEL, Ask, Reply, Wild, serving


@dataclass
class Asked:
    """What a family of requests came to."""

    records: list[Record] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    @property
    def images(self) -> int:
        return sum(record.images for record in self.records)


def asked(wild: Wild) -> Asked:
    """Ask for what the contract leaves open."""
    found = Asked()
    with serving(wild) as base_url:
        target = Target(base_url, model=MODEL, name="wild", dialect="page", sizes=wild.sizes, default_size="64x64")
        keyring = Keyring(target, environment(wild))
        session = Session(target, keyring, CheckOptions(), on_record=found.records.append)
        try:
            session.ask_family("generate.prompt-odd", case.odd_prompts(session.asker))
        finally:
            session.close()
    for record in found.records:
        found.held |= set(record.held)
        found.broken |= {finding.requirement for finding in record.broken}
    return found


def _odd(fields: dict[str, Any]) -> bool:
    prompt = fields.get("prompt")
    return isinstance(prompt, str) and ("\0" in prompt or "\ud83d" in prompt)


class RefusesOddText(Wild):
    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        return self.refusal("prompt: odd.", "prompt") if _odd(fields) else super().inspect(fields)


class RefusesLongPrompts(Wild):
    """As OpenAI has it of dall-e-3."""

    most = 4000

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        long = len(fields.get("prompt") or "") > self.most
        return self.refusal("prompt: too long.", "prompt") if long else super().inspect(fields)


class RefusesBoth(RefusesLongPrompts, RefusesOddText):
    pass


@pytest.mark.parametrize("kind", [Wild, RefusesOddText, RefusesLongPrompts, RefusesBoth])
def test_one_picture_is_all_that_it_costs(kind: type[Wild]) -> None:
    """Whatever of it a server refuses, one picture comes, and nothing is held against it."""
    found = asked(kind())
    assert found.images == 1
    assert found.broken == set()
    named = {"prompt-odd", "long-prompt", "openai-fields", "unknown-field"}
    assert {f"generate.{name}" for name in named} <= found.held


class CannotEncode(Wild):
    """Half a surrogate pair gets through the validation, and no further."""

    def generate(self, ask: Ask) -> Reply:
        try:
            str(ask.fields.get("prompt")).encode()
        except UnicodeEncodeError:
            return self.error(500, "Something went wrong.")
        return super().generate(ask)


class ShortColumn(Wild):
    """The prompt is kept in a column of 8,000 characters."""

    def generate(self, ask: Ask) -> Reply:
        long = len(str(ask.fields.get("prompt"))) > 8000
        return self.error(500, "value too long") if long else super().generate(ask)


class NulInTheDatabase(Wild):
    """Before n is looked at."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        nul = "\0" in str(fields.get("prompt"))
        return self.error(500, "Something went wrong.") if nul else super().inspect(fields)


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (CannotEncode, "generate.prompt-odd"),
        (ShortColumn, "generate.long-prompt"),
        (NulInTheDatabase, "generate.prompt-odd"),
    ],
)
def test_what_a_server_stumbles_over_is_named(kind: type[Wild], broken: str) -> None:
    """It is asked for alone, and nothing else that travelled with it is blamed."""
    assert asked(kind()).broken == {broken}


@pytest.mark.parametrize(("rate", "requests"), [(0.02, 9), (0.2, 9), (0.3, 20), (0.5, 9)])
def test_chance_is_asked_on_until_it_is_out_of_the_question(rate: float, requests: int) -> None:
    """So many failures in a row of one among so many requests are rarer than one check in a thousand, and no more are
    asked for; where that would be very many, nothing is said.
    """
    times = needed(rate, requests)
    if times is None:
        assert requests * rate**12 > 1e-3
        return
    assert requests * rate**times <= 1e-3 * (1 + 1e-9) < requests * rate ** (times - 1) or math.isclose(times, 1)


def test_certain_failure_says_nothing() -> None:
    """Where all others failed too, no number of failures is held against one body."""
    assert needed(1.0, 9) is None
