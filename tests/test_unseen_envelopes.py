# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in the document that brings the pictures.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

from typing import Any

import pytest

from wild_check import Defects, assert_found, examine
from wild_picture import painted, saved
from wild_server import Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


class Says(Wild):
    """Says something of the answer, and something of each item."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | self.answers(ask)

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        return super().item(data, form, ask) | self.items(ask)

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {}

    def items(self, ask: Ask) -> dict[str, Any]:
        return {}


@defect("response.no-internals")
class FilePath(Says):
    """SGLang: the file on the server's disk beside the picture."""

    def items(self, ask: Ask) -> dict[str, Any]:
        return {"file_path": "/sgl-workspace/sglang/outputs/7f3a.png", "peak_memory_mb": 14221.5}


@defect("response.no-internals")
class UpstreamAddress(Says):
    """The answer of the upstream, passed on as it came."""

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"provider": {"endpoint": "http://gpu-3.render.svc.cluster.local:8000/v1/images/generations"}}


@defect("response.no-internals", "error.no-addresses")
class UpstreamHeader(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers.append(("X-Proxy-Pass", "http://10.42.0.17:7860/sdapi/v1/txt2img"))
        return super().dress(ask, reply)


@defect("response.no-internals")
class UpstreamKey(Says):
    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"debug": {"headers": {"authorization": "Bearer sk-live0123456789abcdefXYZ"}}}


@defect("response.no-null")
class NullsForNothing(Says):
    """vLLM-omni: everything that has no value is null."""

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"output_format": None, "size": None}

    def items(self, ask: Ask) -> dict[str, Any]:
        return {"revised_prompt": None}


@defect("response.item-types")
class PromptInPieces(Says):
    def items(self, ask: Ask) -> dict[str, Any]:
        return {"revised_prompt": ["a", "test card"]}


@defect("response.echo-true")
class SizeOfTheModel(Says):
    """The model's own size is echoed, whatever was drawn."""

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"size": "1024x1024"}


@defect("response.echo-true")
class PngOnPaper(Says):
    """vLLM-omni 5421: the type is a constant."""

    media_type = "image/jpeg"

    def picture(self, width: int, height: int) -> bytes:
        return saved(painted(width, height), "JPEG")

    def items(self, ask: Ask) -> dict[str, Any]:
        return {"mime_type": "image/png"}


@defect("response.echo-true")
class SidesExchanged(Says):
    """Height and width are mixed up, in words only."""

    def items(self, ask: Ask) -> dict[str, Any]:
        width, height = map(int, ask.fields.get("size", self.default_size).split("x"))
        return {"width": height, "height": width}


@defect("response.echo-true")
class OneOnPaper(Says):
    """n of each call to the upstream, which is called n times."""

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"n": 1}


@defect("response.model-echo")
class SilentSubstitute(Says):
    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"model": "some-lab/another-model-turbo"}


@defect("response.usage")
class BilledTwice(Says):
    """usage counts pictures that did not come."""

    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"usage": {"generated_images": 2 * ask.fields.get("n", 1), "output_tokens": 4096}}


@defect("response.usage")
class TokensAsText(Says):
    def answers(self, ask: Ask) -> dict[str, Any]:
        return {"usage": {"input_tokens": "12", "output_tokens": "4096", "total_tokens": "4108"}}
