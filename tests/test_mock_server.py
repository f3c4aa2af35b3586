"""The bundled mock keeps its promises, over real HTTP."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from testcard.core.errors import UsageError
from testcard.mock_server import MockSettings, identity, prompt_sha256, running
from testcard.mock_server.promise import promise
from testcard.mock_server.server import _listen

PROMISE = promise()
KEYS = PROMISE.keys
BODY: dict[str, Any] = {"model": PROMISE.model, "prompt": "a harbour at dawn"}
GENERATIONS = "/images/generations"
FORBIDDEN: dict[str, list[Any]] = {
    "prompt": ["", None, 7, ["x"]],
    "model": [None, 7, [PROMISE.model]],
    "n": [0, -1, 11, 1.5, "2", True, [], {}, 10**400],
    "size": ["", "big", "1024", "2048x2048", 1024, []],
    "response_format": ["", "URL", "png", 1, {}],
}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture(scope="module")
def client(base_url: str) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=base_url, trust_env=False) as opened:
        yield opened


def generate(client: httpx.Client, key: str = KEYS["main"], **fields: Any) -> httpx.Response:
    return client.post(GENERATIONS, json={**BODY, **fields}, headers=bearer(key))


def size_of(picture: bytes) -> str:
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        assert image.format == "PNG"
        return f"{image.width}x{image.height}"


def test_the_minimal_request_brings_the_defaults(client: httpx.Client) -> None:
    """Model and prompt alone bring one picture of the default size by URL, created now."""
    answer = generate(client)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "date" in answer.headers
    document = answer.json()
    assert isinstance(document["created"], int)
    assert abs(document["created"] - time.time()) < 300
    (item,) = document["data"]
    assert item.keys() == {"url"}
    picture = httpx.get(item["url"], trust_env=False)
    assert picture.headers["content-type"] == "image/png"
    assert item["url"].endswith(".png")
    assert size_of(picture.content) == PROMISE.default_size


@pytest.mark.parametrize("size", [*PROMISE.sizes, "auto", None])
def test_pictures_have_exactly_the_size_asked_for(client: httpx.Client, size: str | None) -> None:
    """Each declared size, `auto` and null bring a whole PNG of that size."""
    answer = generate(client, size=size, response_format="b64_json")
    picture = base64.b64decode(answer.json()["data"][0]["b64_json"], validate=True)
    assert size_of(picture) == (size if size in PROMISE.sizes else PROMISE.default_size)


@pytest.mark.parametrize("wanted", PROMISE.formats)
def test_n_pictures_come_and_no_two_are_alike(client: httpx.Client, wanted: str) -> None:
    """n pictures come in the format asked for, all different, each with its own place in its identity."""
    answer = generate(client, n=4, size="512x512", response_format=wanted)
    items = answer.json()["data"]
    assert [list(item) for item in items] == [[wanted]] * 4
    if wanted == "url":
        pictures = [httpx.get(item["url"], trust_env=False).content for item in items]
    else:
        pictures = [base64.b64decode(item["b64_json"]) for item in items]
    assert len(set(pictures)) == 4
    marks = [identity(picture) for picture in pictures]
    assert [mark.index for mark in marks if mark] == [0, 1, 2, 3]
    assert {mark.request_id for mark in marks if mark} == {answer.headers["x-request-id"]}
    assert {mark.prompt_sha256 for mark in marks if mark} == {prompt_sha256(BODY["prompt"])}
    seen = set()
    for picture in pictures:
        with Image.open(io.BytesIO(picture)) as image:
            seen.add(image.convert("RGB").tobytes())
    assert len(seen) == 4  # the difference can be seen, not only read


@pytest.mark.parametrize(
    ("status", "slug", "key", "path", "fields"),
    [
        # Each is wrong in every later respect as well: the order of the checks is part of the promise.
        (401, "authentication_error", "sk-aig-nobody", GENERATIONS, {"model": "other", "n": 99}),
        (401, "authentication_error", "", GENERATIONS, {"model": "other", "n": 99}),
        (400, "invalid_request_error", KEYS["empty_wallet"], GENERATIONS, {"model": "other", "n": 99}),
        (404, "not_found", KEYS["empty_wallet"], GENERATIONS, {"model": "other"}),
        (402, "insufficient_credits", KEYS["empty_wallet"], GENERATIONS, {}),
        (404, "not_found", KEYS["main"], "/images/generation", {}),
        (401, "authentication_error", "sk-aig-nobody", "/models", None),
    ],
)
def test_refusals_come_in_order(
    client: httpx.Client, status: int, slug: str, key: str, path: str, fields: dict[str, Any] | None
) -> None:
    """Key, path, body, model, wallet: the first that is wrong is what the answer names."""
    if fields is None:
        answer = client.get(path, headers=bearer(key))
    else:
        answer = client.post(path, json={**BODY, **fields}, headers=bearer(key) if key else {})
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"]["type"] == slug
    assert answer.json()["error"]["message"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("x-ratelimit-limit-requests" in answer.headers) == (key in KEYS.values())


@pytest.mark.parametrize("authorization", ["Bearer", "Basic c2stYWlnOng=", KEYS["main"], f"Token {KEYS['main']}"])
def test_other_credentials_open_nothing(client: httpx.Client, authorization: str) -> None:
    """An empty token, another scheme and a bare key are refused with a challenge."""
    answer = client.post(GENERATIONS, json=BODY, headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_a_wrong_method_is_answered_with_405(client: httpx.Client, method: str) -> None:
    """405, with Allow, in the envelope, with a key and without."""
    for headers in ({}, bearer(KEYS["main"])):
        answer = client.request(method, GENERATIONS, headers=headers)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert method == "HEAD" or answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("JSON", b""),
        ("JSON", b"{'prompt': 'x'}"),
        ("JSON", json.dumps(BODY).encode()[:-1]),
        ("JSON", b'{"n": 1' + b"0" * 5000 + b"}"),  # more digits than Python converts
        ("JSON", b"[" * 100_000),
        ("byte order mark", b"\xef\xbb\xbf" + json.dumps(BODY).encode()),
        ("UTF-8", json.dumps(BODY).encode().replace(b"dawn", b"d\xe9wn")),
        ("NaN", json.dumps({**BODY, "extra": float("nan")}).encode()),
        ("follow", json.dumps(BODY).encode() + b"{}"),
        ("object", b"[]"),
        ("object", b"null"),
        ("prompt", json.dumps({"model": PROMISE.model}).encode()),
        ("model", json.dumps({"prompt": "x"}).encode()),
        *[(name, json.dumps({**BODY, name: value}).encode()) for name, values in FORBIDDEN.items() for value in values],
    ],
)
def test_a_forbidden_body_is_refused_by_name(client: httpx.Client, said: str, body: bytes) -> None:
    """400, and the message names what is wrong."""
    headers = {**bearer(KEYS["second"]), "Content-Type": "application/json"}
    answer = client.post(GENERATIONS, content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    message = answer.json()["error"]["message"]
    assert said in message or (said == "JSON" and "read" in message)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**BODY, "seed": 7, "user": "me"}).encode(),
        json.dumps({**BODY, "n": None, "size": None, "response_format": None}).encode(),
        json.dumps(BODY).encode()[:-1] + b', "prompt": "again"}',
        json.dumps({**BODY, "prompt": "\ud800 \u0000 \u202e"}).encode(),
        json.dumps({**BODY, "prompt": "“quotes”, 灯台,\n🗼 " * 500}, ensure_ascii=False).encode(),
    ],
    ids=["unknown fields", "nulls", "duplicate names", "odd characters", "a long prompt"],
)
def test_a_good_body_is_served(client: httpx.Client, body: bytes) -> None:
    """What the contract allows, however odd, brings a picture."""
    headers = {**bearer(KEYS["main"]), "Content-Type": "application/json; charset=utf-8"}
    answer = client.post(GENERATIONS, content=body, headers=headers)
    assert answer.status_code == 200
    assert size_of(httpx.get(answer.json()["data"][0]["url"], trust_env=False).content) == PROMISE.default_size


def test_labels_and_lengths_are_refused(client: httpx.Client) -> None:
    """A body that is not labelled JSON is 415, one over 1 MB is 413."""
    text = client.post(
        GENERATIONS, content=json.dumps(BODY), headers={**bearer(KEYS["main"]), "Content-Type": "text/plain"}
    )
    assert text.status_code == 415
    long = generate(client, prompt="x" * 3_000_000)
    assert long.status_code == 413
    assert long.json()["error"]["type"] == "invalid_request_error"


def test_request_ids_are_echoed_or_made(client: httpx.Client) -> None:
    """A sane X-Request-Id comes back; without one, and for an odd one, a fresh one comes."""
    mine = client.get("/models", headers={**bearer(KEYS["main"]), "X-Request-Id": "abc-123"})
    assert mine.headers["x-request-id"] == "abc-123"
    odd = client.get("/models", headers={"X-Request-Id": "a b<script>"})
    none = client.get("/models")
    assert odd.headers["x-request-id"].startswith("req_")
    assert odd.headers["x-request-id"] != none.headers["x-request-id"]


def test_the_model_is_listed(client: httpx.Client) -> None:
    """GET /models lists the model, for whoever has a key."""
    listed = client.get("/models", headers=bearer(KEYS["main"])).json()
    assert [model["id"] for model in listed["data"]] == [PROMISE.model]
    assert client.head("/models", headers=bearer(KEYS["main"])).status_code == 200


def test_over_the_limit_comes_429(base_url: str) -> None:
    """The limited key has ten a minute, refused bodies included; meanwhile the second key is served."""
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        statuses = [generate(client, KEYS["limited"], n=0).status_code for _ in range(10)]
        over = generate(client, KEYS["limited"], n=0)
        assert statuses == [400] * 10
        assert over.status_code == 429
        assert over.json()["error"]["type"] == "rate_limit_error"
        assert 1 <= int(over.headers["retry-after"]) <= 60
        assert over.headers["x-ratelimit-remaining-requests"] == "0"
        assert generate(client, KEYS["second"], n=0).status_code == 400


def test_settings_override_every_limit() -> None:
    """--rpm and --window hold for every key."""
    with running(MockSettings(rpm=2, window_s=30)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for key in KEYS.values():
            assert [generate(client, key, n=0).status_code for _ in range(3)] == [400, 400, 429]


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """The listening socket names its protocol: asyncio then switches Nagle's algorithm off, worth 40 ms an answer."""
    with _listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_stopping_frees_the_port() -> None:
    """After the block nobody listens any more."""
    with running() as url:
        assert httpx.get(f"{url}/models", trust_env=False).status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models", trust_env=False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"faults": ("n-clampd",)}, "did you mean n-clamped?"),
        ({"faults": ("zzzzzzzz",)}, "docs/mock.md"),
        ({"dialect": "french"}, "dialect"),
        ({"rpm": 0}, "rpm"),
        ({"window_s": 0.0}, "window"),
        ({"burst": 0.5}, "burst"),
        ({"latency_p99_s": 1.0}, "needs a median"),
        ({"latency_median_s": 1.0, "latency_p99_s": 0.5}, "below the median"),
        ({"latency_factors": (("10x10", 2.0),)}, "size"),
        ({"latency_factors": (("512x512", 0.0),)}, "factor"),
        ({"capacity": 0}, "capacity"),
        ({"queue": 1}, "capacity"),
        ({"capacity": 1, "queue": -1}, "queue"),
        ({"unavailable_rate": 1.5}, "share"),
    ],
)
def test_settings_without_meaning_are_refused(settings: dict[str, Any], said: str) -> None:
    """Each is a sentence that names the option."""
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        MockSettings(**settings)
