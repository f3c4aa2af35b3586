"""The official OpenAI SDK works against the mock, and names its errors."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from testcard.mock_server import MockSettings, identity, running
from testcard.mock_server.promise import promise

PROMISE = promise()
KEYS = PROMISE.keys
BODY: dict[str, Any] = {"model": PROMISE.model, "prompt": "a harbour at dawn"}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with running() as url:
        yield url


def test_the_official_sdk_works_in_both_formats(base_url: str) -> None:
    """openai-python generates by url and by b64_json, and lists the models."""
    with openai.OpenAI(base_url=base_url, api_key=KEYS["main"], max_retries=0) as sdk:
        by_url = sdk.images.generate(**BODY, response_format="url", n=2)
        assert by_url.data is not None
        assert all((item.url or "").startswith(base_url.removesuffix("/v1")) for item in by_url.data)
        inline = sdk.images.generate(**BODY, response_format="b64_json", size="512x512")
        assert inline.data is not None
        assert identity(base64.b64decode(inline.data[0].b64_json or "")) is not None
        assert [model.id for model in sdk.models.list()] == [PROMISE.model]


@pytest.mark.parametrize(
    ("error", "key", "fields"),
    [
        (openai.AuthenticationError, "sk-aig-nobody", {}),
        (openai.NotFoundError, KEYS["main"], {"model": "nobody/nothing"}),
        (openai.BadRequestError, KEYS["main"], {"n": 11}),
    ],
)
def test_the_official_sdk_names_errors(
    base_url: str, error: type[openai.APIStatusError], key: str, fields: dict[str, Any]
) -> None:
    """401, 404 and 400 become the exceptions that the SDK has for them, with slug and request id."""
    with openai.OpenAI(base_url=base_url, api_key=key, max_retries=0) as sdk, pytest.raises(error) as caught:
        sdk.images.generate(**{**BODY, **fields})
    assert caught.value.type
    assert caught.value.request_id


def test_the_official_sdk_names_the_other_errors(base_url: str) -> None:
    """402 is an APIStatusError, 429 a RateLimitError, 503 an InternalServerError."""
    with openai.OpenAI(base_url=base_url, api_key=KEYS["empty_wallet"], max_retries=0) as sdk:
        with pytest.raises(openai.APIStatusError) as broke:
            sdk.images.generate(**BODY)
        assert broke.value.status_code == 402
    with (
        running(MockSettings(unavailable_rate=1, rpm=1)) as url,
        openai.OpenAI(base_url=url, api_key=KEYS["main"], max_retries=0) as sdk,
    ):
        with pytest.raises(openai.InternalServerError) as busy:
            sdk.images.generate(**BODY)
        assert busy.value.status_code == 503
        with pytest.raises(openai.RateLimitError):
            sdk.images.generate(**BODY)
