# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Correct answers in other clothes: bodies, refusals and media as servers lawfully send them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from wild_check import Clothes, assert_spotless, examine
from wild_server import MODEL, Ask, Reply, Wild

CLOTHES = Clothes()
clothing = CLOTHES.enter


@pytest.mark.parametrize("kind", CLOTHES, ids=lambda kind: kind.__name__)
def test_no_correct_answer_is_accused(kind: type[Wild]) -> None:
    """An answer that keeps the contract in an unusual way gets no fail and no warn."""
    assert_spotless(examine(kind()), kind)


# The body.


@clothing
class Charset(Wild):
    def reply(self, document: Any, status: int = 200) -> Reply:
        return Reply(status, self.encode(document), [("Content-Type", "Application/JSON; charset=UTF-8")])


@clothing
class PrettyPrinted(Wild):
    def encode(self, document: Any) -> bytes:
        return b"\r\n" + json.dumps(document, indent=4, ensure_ascii=False).encode() + b"\n\n"


@clothing
class Escaped(Wild):
    """Slashes and letters as \\u escapes, where JSON lets them be."""

    def encode(self, document: Any) -> bytes:
        text = json.dumps(document).replace("/", "\\/")
        return re.sub(r"(?<![\\\w])m(?=\w)", r"\\u006d", text).encode()


@clothing
class MoreKeys(Wild):
    """Keys that no contract names, in every object."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        usage = {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14, "input_tokens_details": None}
        more = {"background": "opaque", "quality": "auto", "output_format": "png", "usage": usage, "id": "img_1"}
        return super().success(items, ask) | more | {"size": ask.fields.get("size", self.default_size), "model": MODEL}

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        said = {"revised_prompt": ask.fields["prompt"], "seed": 12, "index": 0, "finish_reason": None}
        return super().item(data, form, ask) | said

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        reply = super().error(status, message, param)
        error = json.loads(reply.body)["error"] | {"param": param, "docs": "https://docs.example.com/e", "details": []}
        return self.reply({"error": error, "request_id": "abc", "status": status}, status)


@clothing
class CodesInWords(Wild):
    """The page says nothing of error.code."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        error = {"message": message, "type": self.slug(status), "code": "some_code", "param": [param]}
        return self.reply({"error": error}, status)


@clothing
class OtherLanguage(Wild):
    """Messages in another language and script, and one that explains how to send a key."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        said = {401: "Нужен ключ: Bearer <key>", 404: "見つかりません"}.get(status, "Das geht so nicht …")
        return super().error(status, said, param)


@clothing
class QuotesTheRequest(Wild):
    """A message that repeats what was sent, without the key."""

    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        said = f'{message} You sent {{"size": "1024x"}}; see https://docs.example.com/errors/{status}.php?at=line 3'
        return super().error(status, said, param)


@clothing
class MaskedKey(Wild):
    """A message that repeats the key in a shortened form, as OpenAI's does."""

    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        if reply is None:
            return None
        key = ask.headers.get("authorization", "")
        masked = f"{key[:8]}{'*' * 20}{key[-4:]}" if len(key) > 20 else key
        said = self.error(401, f"Incorrect API key provided: {masked}.")
        said.headers.append(("WWW-Authenticate", "bearer"))
        return said


@clothing
class Talkative(Wild):
    """Everything that an answer may say of its pictures, and all of it true."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        usage = {"generated_images": len(items), "total_tokens": 4096, "output_tokens": 4096, "input_tokens": 0}
        more = {"model": MODEL.rpartition("/")[2] + "-2026-01-14", "n": len(items), "usage": usage, "quality": "auto"}
        return (
            super().success(items, ask)
            | more
            | {"links": {"self": "/v1/images/1", "docs": "https://example.com/tmp/x"}}
        )

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        width, height = map(int, ask.fields.get("size", self.default_size).split("x"))
        said = {"width": width, "height": height, "size": f"{width} x {height}", "media_type": "image/png"}
        return super().item(data, form, ask) | said | {"format": "PNG", "revised_prompt": "saved in /tmp/cat.png"}


@clothing
class AutomaticSize(Wild):
    """Echoes that are no sizes and no formats."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        said = {
            "size": "auto",
            "format": "url",
            "width": None,
            "usage": {"cost": 0.0012, "images": "one"},
            "model": None,
        }
        return super().success(items, ask) | said


@clothing
class StyleOfItsOwn(Wild):
    """It knows one style, ignores what is asked for, and says which one came."""

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return super().success(items, ask) | {"style": "natural", "quality": "standard", "background": "opaque"}


# Refusals.


@clothing
class Unprocessable(Wild):
    """422 for what can be read and not be done, 400 for what cannot be read."""

    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(422 if param else 400, message, param)


@clothing
class UnprocessableVendor(Unprocessable):
    dialect = "vendor"


@clothing
class TypedRefusals(Wild):
    """413 for more pictures than it makes at once, 415 for a body that it cannot read."""

    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error({"n": 413, None: 415}.get(param, 400), message, param)


@clothing
class JsonOnly(Wild):
    """415 for whatever is not labelled as JSON."""

    def validate(self, ask: Ask) -> Reply | None:
        labelled = ask.headers.get("content-type", "").startswith("application/json")
        return super().validate(ask) if labelled or ask.path == "/models" else self.error(415, "JSON, please.")


@clothing
class NoUnknownFields(Wild):
    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        unknown = set(fields) - {"prompt", "model", "n", "size", "response_format", "user"}
        return self.refusal(f"{unknown.pop()}: unknown.", None) if unknown else super().inspect(fields)


@clothing
class ModelFirst(Wild):
    """The model is looked up before anything else is looked at: none and a strange one are both unknown."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        return super().inspect(fields) if fields.get("model") == MODEL else self.error(404, "No such model.", "model")


@clothing
class DeclaredSizesOnly(Wild):
    def pixels(self, size: object) -> tuple[int, int] | None:
        return super().pixels(size) if size in self.sizes else None


@clothing
class NotFoundForMethods(Wild):
    """A router that knows method and path only together."""

    def wrong_method(self, allowed: str) -> Reply:
        return self.error(404, "There is nothing here.")


@clothing
class AllowOnSeveralLines(Wild):
    """RFC 9110, section 5.3: a list may be spread over several lines."""

    def wrong_method(self, allowed: str) -> Reply:
        reply = self.error(405, "Not with this method.")
        reply.headers += [("Allow", "OPTIONS"), ("Allow", f"HEAD,{allowed}")]
        return reply


@clothing
class StrangersFirst(Wild):
    """A stranger learns nothing, not even which paths there are."""

    steps = ("deliver_media", "authenticate", "route", "limit", "validate", "pay", "generate")

    def deliver_media(self, ask: Ask) -> Reply | None:
        return self.deliver(ask.target, ask) if ask.target.startswith("/media/") else None


@clothing
class WalletFirst(Wild):
    """An empty wallet is refused before the body is read."""

    steps = ("route", "authenticate", "pay", "limit", "validate", "generate")


@clothing
class SeveralChallenges(Wild):
    """RFC 9110, section 11.6.1: challenges are a list, and a comma needs no space."""

    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        if reply is not None:
            reply.replace("WWW-Authenticate", 'Basic realm="a, b",Bearer realm="wild", error="invalid_token"')
        return reply


@clothing
class ChallengesApart(Wild):
    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        if reply is not None:
            reply.replace("WWW-Authenticate", 'ApiKey realm="x"')
            reply.headers.append(("www-authenticate", 'BEARER\terror="invalid_request"'))
        return reply


@clothing
class RetryAdvice(Wild):
    """x-should-retry, where it is true."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if reply.status >= 400:
            reply.headers.append(("x-should-retry", "true" if reply.status in (429, 503) else "false"))
        return super().dress(ask, reply)
