# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Defects of real servers in whom they let in, where, and under which id.

Each names the requirement that must be broken, and those that may be as well, since one cause has several signs.
"""

from __future__ import annotations

import base64
import socket
import threading
from typing import Any, BinaryIO
from urllib.parse import parse_qs

import pytest

from wild_check import Defects, assert_found, examine
from wild_server import KEYS, SLUGS, Ask, Reply, Wild

DEFECTS = Defects()
defect = DEFECTS.enter


@pytest.mark.parametrize(("kind", "requirement", "also"), DEFECTS)
def test_a_defect_is_found(kind: type[Wild], requirement: str, also: tuple[str, ...]) -> None:
    """The requirement that a server breaks is named, and nothing that has no part in it."""
    assert_found(examine(kind()), requirement, also)


# Keys.

EVERY_STRANGER = ("auth.wrong-key", "auth.near-miss-key", "auth.malformed-credentials", "auth.before-validation")


@defect("auth.missing-key", *EVERY_STRANGER)
class AnybodyIsServed(Wild):
    """stable-diffusion.cpp, vLLM-omni, SGLang: no keys at all, though the target claims them."""

    def authenticate(self, ask: Ask) -> Reply | None:
        return None


@defect("auth.wrong-key", "auth.near-miss-key", "auth.before-validation", "auth.malformed-credentials")
class AnyKeyIsServed(Wild):
    """Only the presence of a token is looked at."""

    def authenticate(self, ask: Ask) -> Reply | None:
        return None if ask.key else super().authenticate(ask)


@defect("auth.wrong-key", "auth.before-validation", "auth.malformed-credentials")
class KeysByTheirForm(Wild):
    """A key is good if it begins as keys do."""

    def authenticate(self, ask: Ask) -> Reply | None:
        return None if (ask.key or "").startswith("sk-") else super().authenticate(ask)


@defect("auth.malformed-credentials")
class EmptyTokenIsNobody(Wild):
    """An empty token is looked up, and found: the anonymous user."""

    def authenticate(self, ask: Ask) -> Reply | None:
        return None if ask.headers.get("authorization") == "Bearer" else super().authenticate(ask)


@defect("auth.malformed-credentials")
class SplitFails(Wild):
    """A scheme without a token is a server error: the split of the header fails."""

    def authenticate(self, ask: Ask) -> Reply | None:
        if ask.headers.get("authorization") == "Bearer":
            return self.error(500, "not enough values to unpack (expected 2, got 1)")
        return super().authenticate(ask)


@defect("auth.missing-key", *EVERY_STRANGER)
class Forbidden(Wild):
    """403 where 401 is due: a client takes its key for good and its rights for few."""

    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        return self.error(403, "No.") if reply is not None else None

    def slug(self, status: int) -> str:
        return SLUGS.get(status, "permission_error")


@defect("auth.before-validation")
class StrangersLearnTheModels(Wild):
    """The model is looked up before the key."""

    def authenticate(self, ask: Ask) -> Reply | None:
        stranger = super().authenticate(ask)
        return self.error(404, "No such model.") if stranger and b"no-such-model" in ask.body else stranger


@defect("auth.challenge")
class NoChallenge(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers = [line for line in reply.headers if line[0] != "WWW-Authenticate"]
        return super().dress(ask, reply)


@defect("auth.challenge")
class BasicChallenge(Wild):
    """A browser would ask for a password."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if reply.status == 401:
            reply.replace("WWW-Authenticate", 'Basic realm="bearer token required"')
        return super().dress(ask, reply)


@defect("auth.key-not-echoed")
class QuotesTheKey(Wild):
    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        if reply is not None:
            said = self.error(401, f"Invalid key: {ask.headers.get('authorization')}")
            reply.body = said.body
        return reply


@defect("auth.key-not-echoed")
class QuotesTheKeyInAHeader(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if reply.status == 401:
            reply.headers.append(("X-Debug-User", ask.key or "nobody"))
        return super().dress(ask, reply)


@defect("auth.key-not-echoed")
class KeyInTheUrl(Wild):
    """A media URL that carries the caller's key."""

    def item(self, data: bytes, form: str, ask: Ask) -> dict[str, Any]:
        item = super().item(data, form, ask)
        return {"url": f"{item['url']}?api_key={ask.key}"} if "url" in item else item


SECOND = ("main", "second", "empty_wallet")


@defect("auth.wrong-key", "auth.before-validation", "auth.malformed-credentials", "auth.near-miss-key")
class ConnectionRemembered(Wild):
    """Who was let in once is let in as long as the connection lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def converse(self, reader: BinaryIO, connection: socket.socket) -> bool:
        if getattr(self.here, "connection", None) is not connection:
            self.here.connection, self.here.known = connection, False
        return super().converse(reader, connection)

    def authenticate(self, ask: Ask) -> Reply | None:
        self.here.known = self.here.known or ask.key in KEYS.values()
        known = self.here.known and ask.key is not None
        return None if known else super().authenticate(ask)


@defect("auth.key-in-query")
class KeyInTheQuery(Wild):
    """`?key=`, as some vendors' documents have it."""

    keys = SECOND

    def authenticate(self, ask: Ask) -> Reply | None:
        asked = parse_qs(ask.target.partition("?")[2])
        return None if set(asked.get("key", [])) & set(KEYS.values()) else super().authenticate(ask)


@defect("auth.shortened-key")
class BeginningIsEnough(Wild):
    """Looked up by its first characters, as it is shown in a console."""

    keys = SECOND

    def authenticate(self, ask: Ask) -> Reply | None:
        near = [key for key in KEYS.values() if len(ask.key or "") > 10 and key.startswith(ask.key or " ")]
        return None if near else super().authenticate(ask)


@defect("auth.near-miss-key")
class CaseInsensitiveKeys(Wild):
    """The column of the database compares without regard to case."""

    keys = SECOND

    def authenticate(self, ask: Ask) -> Reply | None:
        return None if (ask.key or "").lower() in KEYS.values() else super().authenticate(ask)


@defect("auth.near-miss-key")
class KeyCutToItsColumn(Wild):
    """What is longer than the column is cut before it is compared."""

    keys = SECOND

    def authenticate(self, ask: Ask) -> Reply | None:
        return None if (ask.key or "")[:22] in KEYS.values() else super().authenticate(ask)


@defect("auth.malformed-credentials")
class KeyInAnyScheme(Wild):
    """The last word of Authorization is the key."""

    keys = SECOND

    def authenticate(self, ask: Ask) -> Reply | None:
        word = ask.headers.get("authorization", "").rpartition(" ")[2]
        return None if word in KEYS.values() else super().authenticate(ask)


@defect("auth.scheme-case")
class BearerAsSpelt(Wild):
    """`startswith("Bearer ")`."""

    def authenticate(self, ask: Ask) -> Reply | None:
        if ask.headers.get("authorization", "").startswith("bearer "):
            ask.headers["authorization"] = ""
        return super().authenticate(ask)


@defect("auth.key-not-echoed")
class CredentialsInTheTrace(Wild):
    """A debug header with the credentials in base64."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        trace = base64.b64encode(ask.headers.get("authorization", "").encode()).decode()
        reply.headers.append(("X-Trace", trace))
        return super().dress(ask, reply)


# Paths.


@defect("transport.wrong-method")
class GetAnswers(Wild):
    def wrong_method(self, allowed: str) -> Reply:
        return self.reply({"status": "ok"})


@defect("transport.wrong-method")
class MethodFails(Wild):
    def route(self, ask: Ask) -> Reply | None:
        return self.error(500, "no handler") if ask.method == "DELETE" else super().route(ask)


@defect("transport.allow")
class NoAllow(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers = [line for line in reply.headers if line[0] != "Allow"]
        return super().dress(ask, reply)


@defect("transport.unknown-path")
class EverythingIsGeneration(Wild):
    """Routed by the first word of the path."""

    def route(self, ask: Ask) -> Reply | None:
        ask.target = ask.target.replace("generationz", "generations")
        return super().route(ask)


@defect("transport.unknown-path", "error.envelope", "transport.json-content-type", "transport.json-body")
class HtmlNotFound(Wild):
    def error(self, status: int, message: str, param: str | None = None) -> Reply:
        if status == 404 and "here" in message:
            return Reply(404, b"<h1>Not Found</h1>", [("Content-Type", "text/html")])
        return super().error(status, message, param)


# Request ids.


@defect("identity.request-id")
class NoId(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply = super().dress(ask, reply)
        reply.headers = [line for line in reply.headers if line[0] != "X-Request-Id"]
        return reply


@defect("identity.request-id")
class IdOfTheSecond(Wild):
    """vLLM-omni: two requests in a second share an id."""

    dialect = "openai"

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers["x-request-id"] = "img_gen_1776947082"
        return super().dress(ask, reply)


@defect("identity.request-id")
class IdUnlessGiven(Wild):
    """The client's id is kept; whoever sends none shares one."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers.setdefault("x-request-id", "req_0")
        return super().dress(ask, reply)


@defect("identity.request-id-echoed")
class IdOfItsOwn(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers.pop("x-request-id", None)
        return super().dress(ask, reply)


@defect("identity.request-id-echoed")
class IdWithoutHyphens(Wild):
    """Parsed as a UUID and written in another form."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        ask.headers["x-request-id"] = ask.headers.get("x-request-id", "").replace("-", "")
        return super().dress(ask, reply)
