"""Defects of real servers in what they make of odd credentials, of an empty wallet, and of the client's key.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import KEYS, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


@defect("auth.malformed-credentials", "error.server")
class ComparesAscii(Wild):
    """hmac.compare_digest raises where a text is not ASCII."""

    def authenticate(self, ask: Ask) -> Reply | None:
        if not (ask.key or "").isascii():
            return self.error(500, "It failed.")
        return super().authenticate(ask)


@defect("auth.malformed-credentials", "error.server")
class KeysInAColumn(Wild):
    """A look-up that fails where a key is longer than any."""

    def authenticate(self, ask: Ask) -> Reply | None:
        if len(ask.key or "") > 255:
            return self.error(500, "It failed.")
        return super().authenticate(ask)


class PaysFor(Wild):
    """Looks at the wallet only on the way that most requests take."""

    freely: ClassVar[dict[str, Any]]

    def pay(self, ask: Ask) -> Reply | None:
        if all(ask.fields.get(name) == value for name, value in self.freely.items()):
            return None
        return super().pay(ask)


@defect("error.empty-wallet")
class Base64IsFree(PaysFor):
    freely: ClassVar[dict[str, Any]] = {"response_format": "b64_json"}


@defect("error.empty-wallet")
class MoreThanOneIsFree(PaysFor):
    freely: ClassVar[dict[str, Any]] = {"n": 2}


@defect("error.empty-wallet")
class SmallIsFree(PaysFor):
    freely: ClassVar[dict[str, Any]] = {"size": "48x64"}


@defect("auth.key-not-echoed")
class OwnerInTheHead(Wild):
    """Whoever has the url of a picture is told the key of its owner."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        reply = super().deliver(path, ask)
        reply.headers.append(("X-Owner", KEYS["main"]))
        return reply


@defect("auth.key-not-echoed")
class KeyOnTheWay(Wild):
    """A redirect to a store that asks for the key, which is put into its address."""

    def deliver(self, path: str, ask: Ask) -> Reply:
        if "?" in ask.target:
            return super().deliver(path, ask)
        return Reply(302, b"", [("Location", f"{path}?key={KEYS['main']}")])
