"""Each fault of the mock shows where its requirement is looked at, and the correct mock shows none.

The gateway is asked directly here, without HTTP and on a clock of the test's own: a hundred and more servers.
Whether the conformance suite names the requirement is the suite's own test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from testcard import schemas
from testcard.mock_server import FAULTS, MockSettings
from testcard.mock_server.gateway import Gateway
from testcard.mock_server.message import GENERATIONS, MODELS, Answer
from testcard.mock_server.promise import promise

PROMISE = promise()
KEYS = PROMISE.keys
BODY = {"model": PROMISE.model, "prompt": "a harbour", "size": "512x512", "response_format": "b64_json"}
BARE = {"model": PROMISE.model, "prompt": "a harbour"}
STRANGER = "Bearer sk-aig-nobody"
MAIN = f"Bearer {KEYS['main']}"

# Probe by name: method, path, Authorization, body (an object, or bytes), further headers.
Probe = tuple[str, str, str | None, Any, Mapping[str, str]]
PROBES: dict[str, Probe] = {
    "stranger": ("POST", GENERATIONS, STRANGER, BODY, {}),
    "stranger, bad body": ("POST", GENERATIONS, STRANGER, {"n": 0}, {}),
    "keyless": ("POST", GENERATIONS, None, BODY, {}),
    "bare key": ("POST", GENERATIONS, "sk-aig-nobody", BODY, {}),
    "basic": ("POST", GENERATIONS, "Basic c2stYWlnOng=", BODY, {}),
    "empty bearer": ("POST", GENERATIONS, "Bearer", BODY, {}),
    "good key as Basic": ("POST", GENERATIONS, f"Basic {base64.b64encode(MAIN[7:].encode()).decode()}", BODY, {}),
    "lower-case scheme": ("POST", GENERATIONS, f"bearer {MAIN[7:]}", BODY, {}),
    "half a key": ("POST", GENERATIONS, MAIN[: 7 + len(MAIN[7:]) // 2], BODY, {}),
    "key and more": ("POST", GENERATIONS, f"{MAIN}0", BODY, {}),
    "key in capitals": ("POST", GENERATIONS, f"Bearer {MAIN[7:].upper()}", BODY, {}),
    "key changed": ("POST", GENERATIONS, f"Bearer {MAIN[7:].replace('mock', 'm~ck')}", BODY, {}),
    "key in the query": ("POST", f"{GENERATIONS}?api_key={MAIN[7:]}", None, BODY, {}),
    "key in the body": ("POST", GENERATIONS, None, {**BODY, "api_key": MAIN[7:]}, {}),
    "base64": ("POST", GENERATIONS, MAIN, BODY, {"x-request-id": "mine-1"}),
    "stranger again": ("POST", GENERATIONS, STRANGER, BODY, {}),
    "base64, another prompt": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": "a forest"}, {}),
    "base64, two": ("POST", GENERATIONS, MAIN, {**BODY, "n": 2}, {}),
    "portrait": ("POST", GENERATIONS, MAIN, {**BODY, "size": "768x1024"}, {}),
    "url": ("POST", GENERATIONS, MAIN, {**BODY, "response_format": "url"}, {}),
    "bare": ("POST", GENERATIONS, MAIN, BARE, {}),
    "full": ("POST", GENERATIONS, MAIN, {**BODY, "n": 1}, {}),
    "unicode": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": 'a "灯台"\n🗼'}, {}),
    "unknown field": ("POST", GENERATIONS, MAIN, {**BODY, "seed": 1}, {}),
    "nulls": ("POST", GENERATIONS, MAIN, {**BARE, "n": None}, {}),
    "further fields": ("POST", GENERATIONS, MAIN, {**BODY, "style": "vivid"}, {}),
    "long prompt": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": "a forest " * 400}, {}),
    "very long prompt": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": "a forest " * 1000}, {}),
    "NUL": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": "a\0"}, {}),
    "half a pair": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": "a\ud83d"}, {}),
    "empty prompt": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": ""}, {}),
    "odd size": ("POST", GENERATIONS, MAIN, {**BODY, "size": "535x523"}, {}),
    "model odd": ("POST", GENERATIONS, MAIN, {**BODY, "model": "nobody/\x00"}, {}),
    "deep": ("POST", GENERATIONS, MAIN, b'{"user": ' + b"[" * 2000 + b"]" * 2000 + b"}", {}),
    "byte order mark": ("POST", GENERATIONS, MAIN, b"\xef\xbb\xbf{}", {}),
    "not UTF-8": ("POST", GENERATIONS, MAIN, b'{"user": "\xff"}', {}),
    "sdk": ("POST", GENERATIONS, MAIN, BODY, {"x-stainless-lang": "python"}),
    "charset": ("POST", GENERATIONS, MAIN, BODY, {"content-type": "application/json; charset=utf-8"}),
    "not JSON": ("POST", GENERATIONS, MAIN, b"{'prompt': 1}", {}),
    "array": ("POST", GENERATIONS, MAIN, b"[1]", {}),
    "text": ("POST", GENERATIONS, MAIN, BODY, {"content-type": "text/plain"}),
    "empty object": ("POST", GENERATIONS, MAIN, {}, {}),
    "no prompt": ("POST", GENERATIONS, MAIN, {"model": PROMISE.model}, {}),
    "prompt 7": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": 7}, {}),
    "prompt null": ("POST", GENERATIONS, MAIN, {**BODY, "prompt": None}, {}),
    "model other": ("POST", GENERATIONS, MAIN, {**BODY, "model": "nobody/nothing"}, {}),
    "model suffix": ("POST", GENERATIONS, MAIN, {**BODY, "model": f"{PROMISE.model}-x"}, {}),
    "model 7": ("POST", GENERATIONS, MAIN, {**BODY, "model": 7}, {}),
    "n 0": ("POST", GENERATIONS, MAIN, {**BODY, "n": 0}, {}),
    "n 11": ("POST", GENERATIONS, MAIN, {**BODY, "n": 11}, {}),
    "n string": ("POST", GENERATIONS, MAIN, {**BODY, "n": "2"}, {}),
    "n true": ("POST", GENERATIONS, MAIN, {**BODY, "n": True}, {}),
    "size word": ("POST", GENERATIONS, MAIN, {**BODY, "size": "big"}, {}),
    "size 7": ("POST", GENERATIONS, MAIN, {**BODY, "size": 7}, {}),
    "format other": ("POST", GENERATIONS, MAIN, {**BODY, "response_format": "png"}, {}),
    "format upper": ("POST", GENERATIONS, MAIN, {**BODY, "response_format": "URL"}, {}),
    "format 7": ("POST", GENERATIONS, MAIN, {**BODY, "response_format": 7}, {}),
    "quality other": ("POST", GENERATIONS, MAIN, {**BODY, "quality": "hd"}, {}),
    "n and size": ("POST", GENERATIONS, MAIN, {**BODY, "n": 0, "size": "big"}, {}),
    "empty wallet": ("POST", GENERATIONS, f"Bearer {KEYS['empty_wallet']}", BODY, {}),
    "empty wallet again": ("POST", GENERATIONS, f"Bearer {KEYS['empty_wallet']}", BODY, {}),
    "unknown path": ("POST", "/v1/nothing", MAIN, BODY, {}),
    "get": ("GET", GENERATIONS, MAIN, b"", {}),
    "models": ("GET", MODELS, MAIN, b"", {}),
    "no such model": ("GET", f"{MODELS}/nothing", MAIN, b"", {}),
    "head": ("HEAD", MODELS, MAIN, b"", {}),
    "large": ("POST", GENERATIONS, MAIN, {**BODY, "n": 0, "prompt": "x" * 900_000}, {}),
    "gzip accepted": ("GET", MODELS, MAIN, b"", {"accept-encoding": "gzip"}),
    "injection": ("GET", MODELS, MAIN, b"", {"x-request-id": "a%0d%0ax-testcard-injected: yes"}),
    "long id": ("GET", MODELS, MAIN, b"", {"x-request-id": "x" * 300}),
}
# On the limited key: within its limit, above it, the second key then, the limited one at half of the wait and after it.
LIMITS = ("limited", "over the limit", "second key", "at half of the wait", "after the wait")
# Two at the same time.
TOGETHER = ("together, one", "together, two")
# The picture of the url, fetched once more after everything else.
AGAIN = "picture again"
GOOD = {"base64", "base64, another prompt", "base64, two", "portrait", "url", "bare", "full", "unicode"}
REFUSED = {"not JSON", "array", "empty object", "prompt 7", "n 0", "size word", "format other"}

# Where each requirement is looked at. A fault that breaks it must show in one of these probes.
SHOWS: dict[str, set[str]] = {
    "transport.json-content-type": GOOD,
    "transport.json-body": GOOD,
    "transport.json-unique-names": GOOD,
    "transport.framing": {*GOOD, "gzip accepted"},
    "transport.single-fields": GOOD,
    "transport.head": {"head"},
    "transport.synchronous": GOOD,
    "transport.unknown-path": {"unknown path"},
    "transport.wrong-method": {"get"},
    "transport.allow": {"get"},
    "transport.other-content-type": {"text"},
    "transport.head-form": {"charset"},
    "transport.content-coding": GOOD,
    "transport.date": GOOD,
    "transport.not-cacheable": {"stranger"},
    "transport.large-body": {"large"},
    "identity.request-id-safe": {"injection", "long id"},
    "auth.missing-key": {"keyless"},
    "auth.wrong-key": {"stranger", "stranger again"},
    "auth.malformed-credentials": {"bare key", "basic", "empty bearer", "good key as Basic"},
    "auth.shortened-key": {"half a key"},
    "auth.near-miss-key": {"key and more", "key in capitals", "key changed"},
    "auth.key-in-query": {"key in the query", "key in the body"},
    "auth.scheme-case": {"lower-case scheme"},
    "auth.before-validation": {"stranger, bad body"},
    "auth.challenge": {"stranger"},
    "auth.key-not-echoed": {"stranger", "url"},
    "generate.minimal": {"bare"},
    "generate.full": {"full"},
    "generate.default-format": {"bare"},
    "generate.default-n": {"bare"},
    "generate.default-size": {"bare"},
    "generate.b64-json": {"base64"},
    "generate.url": {"url"},
    "generate.n-honoured": {"base64, two"},
    "generate.unicode-prompt": {"unicode"},
    "generate.unknown-field": {"unknown field"},
    "generate.null-fields": {"nulls"},
    "generate.no-lasting-error": {"base64, two"},
    "generate.openai-fields": {"further fields"},
    "generate.long-prompt": {"long prompt", "very long prompt"},
    "generate.prompt-odd": {"NUL", "half a pair"},
    "generate.empty-prompt": {"empty prompt"},
    "generate.size-undeclared": {"odd size"},
    "generate.model-malformed": {"model odd"},
    "generate.unnamed-form": {"deep", "byte order mark", "not UTF-8"},
    "generate.malformed-json": {"not JSON"},
    "generate.not-an-object": {"array"},
    "generate.prompt-missing": {"no prompt", "empty object"},
    "generate.prompt-type": {"prompt 7", "prompt null"},
    "generate.model-unknown": {"model other", "model suffix"},
    "generate.model-type": {"model 7"},
    "generate.n-out-of-range": {"n 0", "n 11"},
    "generate.n-type": {"n string", "n true"},
    "generate.size-invalid": {"size word"},
    "generate.size-type": {"size 7"},
    "generate.response-format-invalid": {"format other", "format upper"},
    "generate.response-format-type": {"format 7"},
    "generate.declared-field": {"quality other"},
    "generate.forbidden-combination": {"n and size"},
    "response.data": GOOD,
    "response.created": GOOD,
    "response.no-error": GOOD,
    "response.one-representation": GOOD,
    "response.item-types": GOOD,
    "response.no-null": GOOD,
    "response.echo-true": GOOD,
    "response.model-echo": GOOD,
    "response.usage": GOOD,
    "response.no-internals": GOOD,
    "image.base64": {"base64"},
    "image.decodable": {"base64"},
    "image.size": {"portrait"},
    "image.distinct": {"base64, two", "base64, another prompt"},
    "image.not-blank": {"base64"},
    "image.trailing-bytes": {"base64"},
    "image.no-internals": {"base64"},
    "image.one-format": {"base64"},
    "media.url-absolute": {"url"},
    "media.host": {"url"},
    "media.fetch": {"url"},
    "media.content-type": {"url"},
    "media.extension": {"url"},
    "media.url-unique": {"url", "bare"},
    "media.url-unguessable": {"url"},
    "media.refetch": {"picture again"},
    "error.envelope": REFUSED,
    "error.code": REFUSED,
    "error.refusal-status": REFUSED,
    "error.refusal-400": REFUSED,
    "error.authentication": {"stranger"},
    "error.credits": {"empty wallet"},
    "error.empty-wallet": {"empty wallet", "empty wallet again"},
    "error.not-found": {"model other"},
    "error.rate-limit": {"over the limit"},
    "error.server": GOOD,
    "error.unavailable": GOOD,
    "error.no-internals": REFUSED,
    "limit.enforced": {"over the limit"},
    "error.no-picture": {"empty wallet"},
    "error.no-addresses": REFUSED,
    "error.retry-after-ms": {"over the limit"},
    "error.retry-after": GOOD,
    "error.param": {"n 0", "size word"},
    "error.deterministic": REFUSED,
    "concurrency.answered": {*TOGETHER},
    "concurrency.no-server-error": {*TOGETHER},
    "concurrency.own-picture": {*TOGETHER},
    "limit.exact": {"over the limit"},
    "limit.granted": {"limited", "over the limit"},
    "limit.refused-at-once": {"over the limit"},
    "limit.retry-after": {"over the limit"},
    "limit.retry-after-tight": {"at half of the wait"},
    "limit.refusals-free": {"after the wait"},
    "limit.headers-true": {"limited", "over the limit"},
    "limit.retry-after-honest": {"after the wait"},
    "limit.per-key": {"second key"},
    "limit.headers": {"limited"},
    "identity.request-id": GOOD,
    "identity.request-id-echoed": {"base64"},
    "models.list": {"models"},
    "models.members": {"models"},
    "models.unknown": {"no such model"},
    "models.target-listed": {"models"},
    "sdk.request-form": {"sdk"},
    "sdk.pictures": GOOD,
    "sdk.errors": REFUSED | {"empty wallet"},
    "sdk.retries": REFUSED,
}


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def seen(settings: MockSettings) -> dict[str, Any]:
    """What a client could notice in the answer to each probe."""
    clock = Clock()
    gateway = Gateway(settings, clock)

    async def ask(probe: Probe) -> Answer:
        method, path, authorization, body, more = probe
        headers = {"content-type": "application/json", "host": "127.0.0.1:1", **more}
        if authorization is not None:
            headers["authorization"] = authorization
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = path.partition("?")
        return await gateway.answer(gateway.call(method, path, headers, data, "http://127.0.0.1:1", query))

    answers = {}
    by_url: Answer | None = None
    for name, probe in PROBES.items():
        answer = await ask(probe)
        by_url = answer if name == "url" else by_url
        answers[name] = notice(answer, gateway)
    refusable = {**BODY, "n": 0}
    limited: Probe = ("POST", GENERATIONS, f"Bearer {KEYS['limited']}", refusable, {})
    for number in range(12):
        began = time.monotonic()
        answer = await ask(limited)
        slow = time.monotonic() - began > 1
        answers["limited" if number < 10 else "over the limit"] = (notice(answer, gateway), slow)
    pair = [PROBES["base64"], PROBES["base64, two"]]
    for name, one in zip(TOGETHER, await asyncio.gather(*map(ask, pair)), strict=True):
        answers[name] = notice(one, gateway)
    answers["second key"] = notice(await ask((*limited[:2], f"Bearer {KEYS['second']}", *limited[3:])), gateway)
    wait = float(re.sub(r"[^0-9.]", "", answer.header("retry-after") or "") or 60)
    clock.now += wait / 2
    answers["at half of the wait"] = notice(await ask(limited), gateway)
    clock.now += wait / 2 + 1
    answers["after the wait"] = notice(await ask(limited), gateway)
    assert by_url is not None
    answers[AGAIN] = notice(by_url, gateway)
    return answers


def notice(answer: Answer, gateway: Gateway) -> Any:
    """The parts of an answer that are the same every time, and the pictures that it leads to."""
    pictures = []
    for token in re.findall(rb"/media/([0-9a-f]{32})\.png", answer.body):
        call = gateway.call("GET", f"/media/{token.decode()}.png", {}, b"", "http://127.0.0.1:1")
        fetched = gateway.picture(token.decode(), call)
        pictures.append((fetched.status, fetched.media_type, fetched.framing, hashlib.sha256(fetched.body).hexdigest()))
    text = re.sub(r"/media/[0-9a-f]{32}", "/media/TOKEN", answer.body.decode("latin-1"))
    created = re.search(r'"created": "?([0-9.]+)', text)
    if created is not None and abs(float(created[1]) - time.time()) < 300:
        text = re.sub(r'"created": ("?)[0-9]+', r'"created": \1NOW', text)
    return answer.status, answer.media_type, answer.framing, answer.headers, text, pictures


@pytest.fixture(scope="module")
def correct() -> dict[str, dict[str, Any]]:
    """What the correct mock shows, by dialect."""
    return {name: asyncio.run(seen(MockSettings(dialect=name))) for name in schemas.dialects()}


def test_every_requirement_can_be_broken() -> None:
    """Each requirement of the catalogue has a fault, and each fault names requirements of the catalogue."""
    catalogue = schemas.requirements()
    broken = {requirement for fault in FAULTS.values() for requirement in fault.breaks}
    assert broken == set(catalogue)
    for fault in FAULTS.values():
        assert all(fault.dialect in catalogue[requirement].dialects for requirement in fault.breaks)


def test_the_table_is_a_table() -> None:
    """Names are words and unique, descriptions are one sentence, and each fault changes exactly what it says."""
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert re.fullmatch(r"[^\n]{10,120}\.", fault.describe)
    areas = sum(len(area) for area in _areas())
    assert areas == len(FAULTS), "two faults have the same name"


def _areas() -> list[tuple[Any, ...]]:
    from testcard.mock_server import faults

    return [area.FAULTS for area in faults._AREAS]


def test_a_correct_mock_always_shows_the_same(correct: dict[str, dict[str, Any]]) -> None:
    """Without a fault nothing differs from one server to the next, so that every difference is a fault's."""
    for name, shown in correct.items():
        assert asyncio.run(seen(MockSettings(dialect=name))) == shown


PLAYED = tuple(name for name, fault in FAULTS.items() if fault.shown is None)


@pytest.mark.parametrize("name", PLAYED)
def test_a_fault_shows_where_its_requirement_is_looked_at(name: str, correct: dict[str, dict[str, Any]]) -> None:
    """The answers to the probes of each broken requirement differ from the correct mock's."""
    fault = FAULTS[name]
    shown = asyncio.run(seen(MockSettings(faults=(name,), dialect=fault.dialect)))
    differs = {probe for probe in shown if shown[probe] != correct[fault.dialect][probe]}
    for requirement in fault.breaks:
        assert differs & SHOWS[requirement], f"shows only in {sorted(differs)}"


def test_all_faults_at_once_are_survived() -> None:
    """Faults combine: whatever is switched on together, every probe gets an answer."""
    shown = asyncio.run(seen(MockSettings(faults=PLAYED)))
    assert shown.keys() == {*PROBES, *LIMITS, *TOGETHER, AGAIN}


def _items(name: str) -> list[dict[str, str]]:
    gateway = Gateway(MockSettings(faults=(name,)))
    data = json.dumps({**BODY, "n": 2}).encode()
    call = gateway.call("POST", GENERATIONS, {"authorization": MAIN}, data, "http://127.0.0.1:1")
    items: list[dict[str, str]] = asyncio.run(gateway.answer(call)).document["data"]
    return items


def test_urlsafe_base64_really_is() -> None:
    """base64-url-safe always holds a letter of the other alphabet."""
    assert all(set("-_") & set(item["b64_json"]) for item in _items("base64-url-safe"))


def test_unpadded_base64_really_is() -> None:
    """base64-unpadded always lacks padding that was due."""
    for item in _items("base64-unpadded"):
        assert len(item["b64_json"]) % 4 != 0
        padded = item["b64_json"] + "=" * (-len(item["b64_json"]) % 4)
        assert base64.b64decode(padded, validate=True).startswith(b"\x89PNG")
