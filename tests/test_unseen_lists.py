"""Defects of real servers in the list of models, in how they read a head, and in pictures that are one.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import io
import threading
from typing import Any, ClassVar

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wild_check import Defects, assert_found, assert_spotless, examine
from wild_picture import saved
from wild_server import MODEL, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


class Lists(Wild):
    """Tells something else of its model, or nothing."""

    tells: ClassVar[dict[str, Any]] = {}

    def generate(self, ask: Ask) -> Reply:
        if ask.path != "/models":
            return super().generate(ask)
        model = {"id": MODEL, "object": "model", "created": 1767225600, "owned_by": "some-lab", **self.tells}
        told = {name: value for name, value in model.items() if value is not Ellipsis}
        return self.reply({"object": "list", "data": [told]})


for _name, _tells in {
    "CreatedInMilliseconds": {"created": 1767225600000},
    "CreatedInWords": {"created": "2026-01-14"},
    "OwnedByNobody": {"owned_by": None},
    "OwnedByAnObject": {"owned_by": {"name": "some-lab"}},
    "ImageModel": {"object": "image_model"},
}.items():
    defect("models.members")(type(_name, (Lists,), {"tells": _tells}))


@defect("models.members")
class NoDateAtOpenAi(Lists):
    """LocalAI: id and object, and no more."""

    dialect = "openai"
    tells: ClassVar[dict[str, Any]] = {"created": ..., "owned_by": ...}


class NoDate(Lists):
    """No other document than OpenAI's shows the list."""

    tells: ClassVar[dict[str, Any]] = {"created": ..., "owned_by": ...}


def test_a_short_list_is_enough_where_no_document_shows_it() -> None:
    """What a model of the list is made of, only OpenAI's document says."""
    assert_spotless(examine(NoDate()), NoDate)


@defect("models.unknown")
class AnyModelByItsName(Wild):
    """What is asked for is put into a template."""

    def route(self, ask: Ask) -> Reply | None:
        name = ask.target.removeprefix(f"{self.prefix}/models/")
        if name == ask.target or ask.method != "GET":
            return super().route(ask)
        return self.reply({"id": name, "object": "model", "created": 1767225600, "owned_by": "some-lab"})


@defect("response.no-internals")
class RootOfTheModel(Lists):
    """vLLM: the folder that a model was loaded from."""

    tells: ClassVar[dict[str, Any]] = {"root": "/srv/models/some-model"}


@defect("transport.head-form")
class CharsetIsAnotherType(Wild):
    """The label is compared as a whole."""

    def validate(self, ask: Ask) -> Reply | None:
        if ask.path != "/models" and ask.headers.get("content-type", "").endswith("charset=utf-8"):
            return self.error(415, "application/json is needed.")
        return super().validate(ask)


@defect("image.distinct")
class StampedFromACache(Wild):
    """One picture for whatever is asked for alone, with a number of its own in the metadata of each copy."""

    def __init__(self) -> None:
        super().__init__()
        self.asking = threading.local()
        self.kept: dict[tuple[int, int], bytes] = {}

    def generate(self, ask: Ask) -> Reply:
        self.asking.alone = ask.fields.get("n", 1) == 1
        return super().generate(ask)

    def picture(self, width: int, height: int) -> bytes:
        if not self.asking.alone:
            return super().picture(width, height)
        data = self.kept.setdefault((width, height), super().picture(width, height))
        note = PngInfo()
        note.add_text("number", str(next(self.asked)))
        return saved(Image.open(io.BytesIO(data)), "PNG", pnginfo=note)
