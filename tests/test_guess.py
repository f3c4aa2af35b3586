"""Whether who has seen some URLs can guess another."""

from __future__ import annotations

import secrets
import uuid

import pytest

from testcard.conformance.probe.guess import guessable

HOST = "https://media.example.com"
SECRET = secrets.token_hex(12)

GUESSABLE = {
    "a counter": [f"{HOST}/img/{number}.png" for number in (998, 999, 1000)],
    "a counter with zeros": [f"{HOST}/img/{number:08}.png" for number in (9, 10, 11)],
    "a counter in the query": [f"{HOST}/img?id={number}" for number in (5, 6, 7)],
    "the time in seconds": [f"{HOST}/{1_800_000_000 + number}.png" for number in (0, 1, 12)],
    "the time in milliseconds": [f"{HOST}/{1_800_000_000_123 + 900 * number}-0.png" for number in (0, 1, 40)],
    "the date and a counter": [f"{HOST}/2026/11/22/153001-{number}.webp" for number in (1, 2, 3)],
    "four hexadecimal digits": [f"{HOST}/img/{name}.png" for name in ("01f3", "a0c4", "77be")],
}
UNGUESSABLE = {
    "random": [f"{HOST}/img/{secrets.token_urlsafe(16)}.png" for _ in range(5)],
    "uuid": [f"{HOST}/img/{uuid.uuid4()}.png" for _ in range(3)],
    "uuid of the time": [f"{HOST}/img/{uuid.uuid1()}.png" for _ in range(3)],
    "as on the vendor's page": [f"{HOST}/img/{name}.png" for name in ("abc123", "k3x9q0", "zz81mm")],
    "numbered and signed": [f"{HOST}/img/{n}.png?exp=1&sig={secrets.token_hex(32)}" for n in range(3)],
    "numbered in a secret folder": [f"{HOST}/u/{SECRET}/{number}.png" for number in range(4)],
    "a secret that all share": [f"{HOST}/{number}.png?token={SECRET}" for number in range(4)],
    "numbered within an answer": [f"{HOST}/{secrets.token_hex(8)}/{number}.png" for number in (0, 0, 1)],
    "long random numbers": [f"{HOST}/{secrets.randbelow(10**18) + 10**18}.png" for _ in range(3)],
}


@pytest.mark.parametrize("name", GUESSABLE)
def test_counters_and_clocks_are_guessed(name: str) -> None:
    """What differs is a few digits, and the verdict says which."""
    verdict = guessable(GUESSABLE[name])
    assert verdict is not None
    assert verdict.guessable
    assert "differ in" in verdict.described


@pytest.mark.parametrize("name", UNGUESSABLE)
def test_randomness_anywhere_is_enough(name: str) -> None:
    """In the name, in the query, or in the folder."""
    verdict = guessable(UNGUESSABLE[name])
    assert verdict is not None
    assert not verdict.guessable, verdict.described


def test_few_urls_say_nothing() -> None:
    """Two may differ in little by chance; the same one three times is one."""
    assert guessable([]) is None
    assert guessable([f"{HOST}/1.png", f"{HOST}/2.png"]) is None
    assert guessable([f"{HOST}/1.png"] * 3) is None
