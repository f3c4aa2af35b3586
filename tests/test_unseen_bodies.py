"""Defects of real servers in which bodies they take.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import MODEL, SLUGS, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# Bodies.


class Lenient(Wild):
    """Changes what was sent before it is looked at."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        self.mend(fields)
        return super().inspect(fields)

    def mend(self, fields: dict[str, Any]) -> None:
        raise NotImplementedError


@defect("generate.n-out-of-range")
class Clamped(Lenient):
    """SGLang: n is brought between 1 and 10."""

    def mend(self, fields: dict[str, Any]) -> None:
        if type(fields.get("n")) is int:
            fields["n"] = max(1, min(fields["n"], 10))


@defect("generate.n-out-of-range")
class NoUpperBound(Wild):
    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        if fields.get("n") == 11:
            fields["n"] = 1
        return super().inspect(fields)


@defect("generate.n-type", "generate.forbidden-combination", "transport.framing")
class Coerced(Lenient):
    """Pydantic's lax mode: "2" is 2, and true is 1."""

    def mend(self, fields: dict[str, Any]) -> None:
        n = fields.get("n")
        if isinstance(n, (str, bool)) and str(int(n)).isdigit():
            fields["n"] = int(n)


@defect(
    "generate.n-type",
    "generate.n-out-of-range",
    "generate.forbidden-combination",
    "generate.malformed-json",
    "transport.framing",
)
class Truncated(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("n"), float):
            fields["n"] = int(fields["n"])


@defect("generate.size-invalid")
class SizeByDefault(Lenient):
    """LocalAI: a size that cannot be read is the default size."""

    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("size"), str) and self.pixels(fields["size"]) is None:
            fields["size"] = self.default_size


@defect("generate.size-invalid")
class SizeFoundInside(Lenient):
    """A search where a match of the whole was meant."""

    def mend(self, fields: dict[str, Any]) -> None:
        found = re.search(r"\d+x\d+", str(fields.get("size")))
        if found:
            fields["size"] = found[0]


@defect("generate.size-invalid", "generate.forbidden-combination")
class SignDropped(Lenient):
    """The sides of a picture are their absolute values."""

    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("size"), str):
            fields["size"] = fields["size"].replace("-", "")


@defect("generate.size-type")
class NumberIsSquare(Lenient):
    """512 is taken for 512x512."""

    def mend(self, fields: dict[str, Any]) -> None:
        size = fields.get("size")
        if isinstance(size, int) and not isinstance(size, bool):
            fields["size"] = f"{size}x{size}"


@defect("generate.no-lasting-error", "error.server")
class TwoNeverFit(Wild):
    """The second picture never fits into the memory."""

    def generate(self, ask: Ask) -> Reply:
        return self.error(500, "Out of memory.") if (ask.fields.get("n") or 1) > 1 else super().generate(ask)


@defect("generate.size-invalid", "generate.forbidden-combination", "transport.large-body")
class SizeFails(Wild):
    """LocalAI: a size without an x is a 500."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        size = fields.get("size")
        return self.error(500, "strconv") if isinstance(size, str) and "x" not in size else super().inspect(fields)


@defect("generate.size-type")
class SizeOfAnyType(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        if not isinstance(fields.get("size", ""), str):
            del fields["size"]


@defect("generate.response-format-invalid")
class FormatByDefault(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        form = fields.get("response_format")
        if isinstance(form, str) and form not in self.formats:
            del fields["response_format"]


@defect("generate.response-format-invalid")
class FormatInAnyCase(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("response_format"), str):
            fields["response_format"] = fields["response_format"].lower()


@defect("generate.response-format-type", "generate.forbidden-combination")
class UnhashableFormat(Wild):
    """A lookup in a set fails on lists."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        odd = isinstance(fields.get("response_format"), (list, dict))
        return self.error(500, "unhashable type") if odd else super().inspect(fields)


@defect("generate.prompt-missing")
class PromptByDefault(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        fields.setdefault("prompt", "")


@defect("generate.prompt-type")
class PromptNull(Lenient):
    """null is the text None."""

    def mend(self, fields: dict[str, Any]) -> None:
        if "prompt" in fields and fields["prompt"] is None:
            fields["prompt"] = "None"


@defect("generate.prompt-type")
class PromptList(Lenient):
    """A list of prompts, as other endpoints take it."""

    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("prompt"), list):
            fields["prompt"] = " ".join(fields["prompt"])


@defect("generate.model-unknown")
class AnyModel(Lenient):
    """vLLM-omni: another model's picture, and a line in the log."""

    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("model"), str):
            fields["model"] = MODEL


@defect("generate.model-unknown")
class ModelByPrefix(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        if str(fields.get("model")).startswith(MODEL):
            fields["model"] = MODEL


@defect("generate.model-unknown")
class UnknownModelIsBadRequest(Wild):
    """Cloudflare: 400 where the page promises 404."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        reply = super().inspect(fields)
        return self.error(400, "No such model.") if reply is not None and reply.status == 404 else reply


@defect("generate.model-type")
class ModelOfAnyType(Lenient):
    def mend(self, fields: dict[str, Any]) -> None:
        if isinstance(fields.get("model"), (int, list, dict)):
            fields["model"] = MODEL


@defect("generate.malformed-json", "generate.unnamed-form", "transport.other-content-type", "generate.n-out-of-range")
class BadJsonFails(Wild):
    """stable-diffusion.cpp, Xinference."""

    def validate(self, ask: Ask) -> Reply | None:
        reply = super().validate(ask)
        fails = reply is not None and b"not JSON" in reply.body
        return self.error(500, "parse error") if fails else reply


@defect("generate.malformed-json")
class SingleQuotes(Wild):
    """A reader of something that looks like JSON."""

    def validate(self, ask: Ask) -> Reply | None:
        if ask.body.startswith(b"{'"):
            ask.body = ask.body.replace(b"'", b'"')
        return super().validate(ask)


@defect("generate.malformed-json")
class EmptyBodyIsAnObject(Wild):
    """An empty body, and a prompt for whoever sends none."""

    def validate(self, ask: Ask) -> Reply | None:
        if not ask.body and ask.path != "/models":
            ask.body = json.dumps({"model": MODEL, "prompt": "anything"}).encode()
        return super().validate(ask)


@defect("generate.not-an-object")
class ListOfOne(Wild):
    """A list of one request is taken for the request."""

    def validate(self, ask: Ask) -> Reply | None:
        if ask.body.startswith(b"["):
            ask.body = ask.body[1:-1]
        return super().validate(ask)


@defect("generate.not-an-object")
class ScalarFails(Wild):
    def validate(self, ask: Ask) -> Reply | None:
        fails = ask.body in (b"1", b"null", b"true")
        return self.error(500, "'int' object has no attribute 'get'") if fails else super().validate(ask)


@defect("generate.unicode-prompt")
class LatinOnly(Wild):
    """A log that knows Latin letters only."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        try:
            str(fields.get("prompt")).encode("latin-1")
        except UnicodeEncodeError:
            return self.refusal("prompt: other letters, please.", "prompt")
        return super().inspect(fields)


@defect("generate.unknown-field", "generate.openai-fields", "generate.unnamed-form")
class UnknownFieldFails(Wild):
    """Whatever comes is handed on as keyword arguments."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        unknown = set(fields) - {"prompt", "model", "n", "size", "response_format", "user"}
        return self.error(502, "unexpected keyword argument") if unknown else super().inspect(fields)


@defect("transport.other-content-type")
class TextFails(Wild):
    def validate(self, ask: Ask) -> Reply | None:
        text = ask.headers.get("content-type") == "text/plain"
        return self.error(502, "no parser") if text else super().validate(ask)


@defect("transport.other-content-type")
class FormsFail(Wild):
    """A reader of forms that finds no boundary."""

    def validate(self, ask: Ask) -> Reply | None:
        form = ask.headers.get("content-type", "").startswith("multipart/")
        return self.error(500, "no boundary") if form else super().validate(ask)


@defect("transport.other-content-type")
class UnlabelledFails(Wild):
    """A header that is always there, but for once."""

    def validate(self, ask: Ask) -> Reply | None:
        found = "content-type" in ask.headers or not ask.body
        return super().validate(ask) if found else self.error(500, "KeyError")


@defect("sdk.request-form")
class NoRobots(Wild):
    """A firewall that knows the SDKs by name."""

    def authenticate(self, ask: Ask) -> Reply | None:
        if ask.headers.get("user-agent", "").startswith("OpenAI/"):
            return self.error(400, "Blocked.")
        return super().authenticate(ask)


@defect("error.refusal-status")
class ForbiddenBody(Wild):
    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(403, message, param)

    def slug(self, status: int) -> str:
        return SLUGS.get(status, "forbidden")


@defect("error.refusal-400")
class UnprocessableInOpenAi(Wild):
    dialect = "openai"

    def refusal(self, message: str, param: str | None) -> Reply:
        return self.error(422, message, param)
