"""Defects of real servers in what they take a value for: another form of it, nothing, or more than they can hold.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter
COMBINED = "generate.forbidden-combination"


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


class Lenient(Wild):
    """Changes a value before it is looked at."""

    name: str

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        if self.name in fields:
            fields[self.name] = self.mended(fields[self.name])
        return super().inspect(fields)

    def mended(self, value: Any) -> Any:
        raise NotImplementedError


@defect("generate.prompt-type", COMBINED)
class PromptInParts(Lenient):
    """A prompt in the form of a chat's content."""

    name = "prompt"

    def mended(self, value: Any) -> Any:
        return value["text"] if isinstance(value, dict) and "text" in value else value


@defect("generate.prompt-type", COMBINED)
class PromptsInAList(Lenient):
    name = "prompt"

    def mended(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) and value and type(value[0]) is str else value


@defect("generate.prompt-type", COMBINED)
class PromptOrDefault(Lenient):
    """`prompt or default`, where null and the empty string have been refused before."""

    name = "prompt"

    def mended(self, value: Any) -> Any:
        return "a picture" if value is False else value


@defect("generate.n-type", COMBINED)
class NOrOne(Lenient):
    """`n or 1`, where 0 has been refused before."""

    name = "n"

    def mended(self, value: Any) -> Any:
        return 1 if value is False or value == "" else value


@defect("generate.n-out-of-range", COMBINED)
class NInThirtyTwoBits(Lenient):
    """A cast to int, in C."""

    name = "n"

    def mended(self, value: Any) -> Any:
        return value % 2**32 if type(value) is int and 0 < value < 2**63 else value


@defect("generate.size-invalid", COMBINED)
class NoSizeIsTheDefault(Lenient):
    """A struct in Go, whose empty string is a field that was left out."""

    name = "size"

    def mended(self, value: Any) -> Any:
        return self.default_size if value == "" else value


@defect("generate.size-invalid", COMBINED)
class LargestSize(Lenient):
    """min(), side by side."""

    name = "size"

    def mended(self, value: Any) -> Any:
        sides = value.split("x") if isinstance(value, str) else []
        if len(sides) != 2 or not all(side.isdecimal() for side in sides):
            return value
        return "x".join(str(min(int(side), 256)) for side in sides)


@defect("generate.size-invalid", COMBINED)
class SidesAreCutOff(Lenient):
    """parseInt, in JavaScript."""

    name = "size"

    def mended(self, value: Any) -> Any:
        sides = value.split("x") if isinstance(value, str) else []
        parts = [side.partition(".")[0] for side in sides]
        return "x".join(parts) if len(sides) == 2 and all(part.isdecimal() for part in parts) else value


@defect("generate.size-type", COMBINED)
class SizeAsAnArray(Lenient):
    name = "size"

    def mended(self, value: Any) -> Any:
        return "x".join(map(str, value)) if isinstance(value, list) and len(value) == 2 else value


@defect("generate.response-format-type", COMBINED)
class FormatAsOfAChat(Lenient):
    name = "response_format"

    def mended(self, value: Any) -> Any:
        return value.get("type", value) if isinstance(value, dict) else value


@defect("generate.response-format-invalid")
class FormatOfTogether(Lenient):
    """Another vendor's word for it."""

    name = "response_format"

    def mended(self, value: Any) -> Any:
        return "b64_json" if value == "base64" else value


class Failing(Wild):
    """Fails where a value is of some kind."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        return self.error(500, "It failed.") if self.fails(fields) else super().inspect(fields)

    def fails(self, fields: dict[str, Any]) -> bool:
        raise NotImplementedError


@defect("generate.n-out-of-range", COMBINED, "error.server")
class InfinitelyMany(Failing):
    """int() of what JSON calls 1e400."""

    def fails(self, fields: dict[str, Any]) -> bool:
        return fields.get("n") == float("inf")


@defect("generate.size-invalid", COMBINED, "error.server")
class SidesOfSixtyFourBits(Failing):
    """stable-diffusion.cpp: std::stoi throws, and nobody catches."""

    def fails(self, fields: dict[str, Any]) -> bool:
        size = fields.get("size")
        return isinstance(size, str) and any(len(side) > 19 and side.isdecimal() for side in size.split("x"))


@defect("generate.n-out-of-range", "error.server")
class TooManyDigits(Wild):
    """Python reads no integer of more than 4,300 digits, and what it raises then is no JSONDecodeError."""

    def validate(self, ask: Ask) -> Reply | None:
        try:
            json.loads(ask.body or b"null")
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            pass
        except ValueError:
            return self.error(500, "It failed.")
        return super().validate(ask)


@defect("generate.size-invalid", "generate.response-format-invalid", COMBINED, "error.server", "transport.framing")
class RepeatsWhatItCannotEncode(Wild):
    """FastAPI: the refusal repeats the input, and is encoded as UTF-8."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        for name in ("size", "response_format"):
            try:
                str(fields.get(name)).encode()
            except UnicodeEncodeError:
                return self.error(500, "It failed.")
        return super().inspect(fields)
