"""The mock's time, chance and memory: latency with known quantiles, saturation, one behaviour per seed."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
from typing import Any

import httpx
import pytest
from PIL import Image

from testcard.mock_server import MockSettings, create_app, identity, running
from testcard.mock_server.card import Recipe, caption, draw
from testcard.mock_server.gateway import Gateway
from testcard.mock_server.latency import Latency
from testcard.mock_server.media import MediaStore
from testcard.mock_server.message import GENERATIONS, Answer
from testcard.mock_server.promise import promise
from testcard.mock_server.truth import Times
from testcard.mock_server.watermark import Identity

PROMISE = promise()
BODY = {"model": PROMISE.model, "prompt": "a harbour", "size": "512x512", "response_format": "b64_json"}
TIMEOUT_S = 20.0  # a place that is never given back must not hang the suite
HEADERS = {"authorization": f"Bearer {PROMISE.keys['main']}"}


async def generate(gateway: Gateway, **fields: Any) -> Answer:
    data = json.dumps({**BODY, **fields}).encode()
    return await gateway.answer(gateway.call("POST", GENERATIONS, HEADERS, data, "http://127.0.0.1:1"))


def generations(settings: MockSettings, number: int, **fields: Any) -> list[Answer]:
    async def one_by_one() -> list[Answer]:
        gateway = Gateway(settings)
        async with asyncio.timeout(TIMEOUT_S):
            return [await generate(gateway, **fields) for _ in range(number)]

    return asyncio.run(one_by_one())


def test_the_model_has_the_median_and_p99_that_were_asked_for() -> None:
    """The analytic quantiles are those of the options, by size as well."""
    latency = Latency(0.05, 0.15, {"512x512": 0.5})
    assert latency.at(0.5) == pytest.approx(0.05)
    assert latency.at(0.99) == pytest.approx(0.15)
    assert latency.at(0.99, "512x512") == pytest.approx(0.075)
    assert Latency().at(0.99) == 0.0


def test_draws_follow_the_model() -> None:
    """Of 20,000 draws, the share below each true quantile is that quantile, within five standard deviations."""
    latency = Latency(0.05, 0.15)
    drawn = [latency.draw(1, number, "1024x1024") for number in range(20_000)]
    for share in (0.1, 0.5, 0.9, 0.99):
        below = sum(value <= latency.at(share) for value in drawn) / len(drawn)
        assert abs(below - share) < 5 * math.sqrt(share * (1 - share) / len(drawn))


def test_no_generation_is_faster_than_its_draw() -> None:
    """The times that the mock reports about itself are at least those that the model drew."""
    settings = MockSettings(latency_median_s=0.02, latency_p99_s=0.06, seed=7)
    drawn = sorted(settings.latency.draw(7, number, "512x512") for number in range(1, 6))
    with running(settings) as url, httpx.Client(base_url=url, headers=HEADERS, trust_env=False) as client:
        for _ in range(5):
            assert client.post("/images/generations", json=BODY).status_code == 200
        truth = client.get(f"{url.removesuffix('/v1')}/mock/truth").json()
    assert truth["model"]["p50"] == pytest.approx(0.02)
    assert truth["model"]["p99"] == pytest.approx(0.06)
    assert truth["served"]["count"] == 5
    assert truth["served"]["p50"] >= drawn[2]
    assert truth["served"]["max"] >= drawn[4]


def test_one_seed_is_one_behaviour() -> None:
    """The same seed gives the same pictures, ids and 503s; another seed gives others."""
    settings = MockSettings(seed=3, unavailable_rate=0.3)
    first, again = generations(settings, 12), generations(settings, 12)
    other = generations(MockSettings(seed=4, unavailable_rate=0.3), 12)

    def told(answers: list[Answer]) -> list[Any]:
        return [(answer.status, answer.header("x-request-id"), answer.document.get("data")) for answer in answers]

    assert told(first) == told(again)
    assert [answer.status for answer in first] != [answer.status for answer in other]
    assert {answer.status for answer in first} == {200, 503}


def test_the_unavailable_share_is_as_asked() -> None:
    """A rate of 0.25 makes about a quarter 503, each with a Retry-After."""
    answers = generations(MockSettings(unavailable_rate=0.25, rpm=1000), 400, response_format="url")
    busy = [answer for answer in answers if answer.status == 503]
    assert abs(len(busy) - 100) < 5 * math.sqrt(400 * 0.25 * 0.75)
    assert all(answer.header("retry-after") == "1" for answer in busy)
    assert all(answer.document["error"]["type"] == "service_unavailable" for answer in busy)


def test_saturation_is_503() -> None:
    """With one place and one in the queue, the third of three at once is refused and the others are served."""

    async def at_once() -> tuple[list[Answer], Gateway]:
        gateway = Gateway(MockSettings(capacity=1, queue=1, latency_median_s=0.2, latency_p99_s=0.2))
        async with asyncio.timeout(TIMEOUT_S):
            return list(await asyncio.gather(*(generate(gateway) for _ in range(3)))), gateway

    answers, gateway = asyncio.run(at_once())
    assert [answer.status for answer in answers] == [200, 200, 503]
    assert answers[2].header("retry-after") == "1"
    told = gateway.truth.describe()
    assert told["served"]["count"] == 2
    assert told["waited"]["max"] > 0.02  # the second waited for the first


def test_a_place_is_given_back_when_its_generation_fails() -> None:
    """A 503 from upstream frees its place for the next."""
    settings = MockSettings(capacity=1, queue=0, unavailable_rate=0.5)
    assert 200 in {answer.status for answer in generations(settings, 10)}


def test_memory_stays_bounded() -> None:
    """The store of pictures forgets the oldest, and the record of times keeps the most recent."""
    store = MediaStore(most=3)
    tokens = [store.add(Recipe(Identity("r", 0, number, ""), "512x512", "")) for number in range(5)]
    assert len(store) == 3
    assert [store.get(token) is not None for token in tokens] == [False, False, True, True, True]
    times = Times(most=4)
    for number in range(10):
        times.add(float(number))
    assert times.describe() == {"count": 10, "p50": 7.0, "p90": 9.0, "p95": 9.0, "p99": 9.0, "p99.9": 9.0, "max": 9.0}


def test_limits_run_on_the_clock_that_is_handed_in() -> None:
    """create_app takes the clock: a minute passes without waiting for it."""

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()

    async def statuses() -> list[int]:
        transport = httpx.ASGITransport(create_app(MockSettings(rpm=1), clock))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1/v1", headers=HEADERS) as client:
            found = []
            for clock.now in (0.0, 1.0, 60.0):
                found.append((await client.get("/models")).status_code)
            return found

    assert asyncio.run(statuses()) == [200, 429, 200]


def test_an_identity_survives_and_a_damaged_one_is_none() -> None:
    """What was written is read back; bytes that are no PNG, or a PNG without a mark, give None."""
    mark = Identity("req_1", 2, 3, "ab" * 32)
    picture = draw(Recipe(mark, "512x512", caption("x" * 1000)))
    assert identity(picture) == mark
    answer = generations(MockSettings(), 1)[0]
    assert identity(base64.b64decode(answer.document["data"][0]["b64_json"])) is not None
    elsewhere = picture.replace(b"testcard", b"somebody")
    misnamed = picture.replace(b'"index"', b'"indes"')
    for damaged in (b"", b"<html>", picture[:40], elsewhere, misnamed):
        assert identity(damaged) is None
    for bit in range(8 * 400):
        spoilt = bytearray(picture[:400])
        spoilt[bit // 8] ^= 1 << bit % 8
        identity(bytes(spoilt))  # whatever it says, it does not raise


def test_the_identity_can_be_seen() -> None:
    """The blocks along the lower edge are the stamp of the identity, most significant bit to the right."""
    mark = Identity("req_1", 0, 9, "cd" * 32)
    for size in PROMISE.sizes:
        with Image.open(io.BytesIO(draw(Recipe(mark, size, "")))) as image:
            row = image.convert("L").crop((0, image.height - 2, image.width, image.height - 1))
        blocks = [row.getpixel((int((bit + 0.5) * row.width / 64), 0)) == 255 for bit in range(64)]
        assert sum(seen << bit for bit, seen in enumerate(blocks)) == mark.stamp
