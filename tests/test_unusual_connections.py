# ruff: noqa: ARG002  (a method that is overridden is given more than it needs)
"""Correct servers whose connections and moods are unusual: none may be accused."""

from __future__ import annotations

import gzip
import threading
import time
from itertools import count
from typing import Any, BinaryIO

import pytest

from wild_check import Clothes, assert_spotless, examine
from wild_server import KEYS, Ask, Reply, Wild, declare, read

CLOTHES = Clothes()
clothing = CLOTHES.enter


@pytest.mark.parametrize("kind", CLOTHES, ids=lambda kind: kind.__name__)
def test_no_correct_server_is_accused(kind: type[Wild]) -> None:
    """A server that keeps the contract in an unusual way gets no fail and no warn."""
    assert_spotless(examine(kind()), kind)


# The connection.


@clothing
class Chunked(Wild):
    """Chunks of odd lengths, with an extension and a trailer."""

    def frame(self, reply: Reply) -> bytes:
        parts = [reply.body[at : at + 7001] for at in range(0, len(reply.body), 7001)]
        reply.headers.append(("Transfer-Encoding", "chunked"))
        chunks = b"".join(b"%x;part=1\r\n%s\r\n" % (len(part), part) for part in parts)
        return self.head(reply) + chunks + b"0\r\nX-Checked: yes\r\n\r\n"


@clothing
class OldProtocol(Wild):
    """HTTP/1.0: the end of the body is the end of the connection."""

    def frame(self, reply: Reply) -> bytes:
        reply.head = f"HTTP/1.0 {reply.status} whatever".encode()
        reply.headers.append(("Connection", "close"))
        return self.head(reply) + reply.body

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        super().converse(reader, connection)
        return False


@clothing
class OneConnectionAtATime(OldProtocol):
    """A single worker: whoever comes meanwhile waits."""

    worker = threading.Lock()

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        ask = read(reader)
        if ask is not None:
            with self.worker:
                connection.sendall(self.frame(self.answer(ask)))
        return False


@clothing
class OneConnectionWhileItLasts(Wild):
    """A single worker that stays with a connection until the client closes it: whoever comes meanwhile waits."""

    def __init__(self) -> None:
        super().__init__()
        self.worker = threading.Lock()

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        with self.worker:
            while super().converse(reader, connection):
                pass
        return False


@clothing
class ClosesWithoutAWord(Wild):
    """Keep-alive connections are closed after every third request, unannounced."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        return all(super(ClosesWithoutAWord, self).converse(reader, connection) for _ in range(3)) and False


@clothing
class ClosesAsAnnounced(Wild):
    def frame(self, reply: Reply) -> bytes:
        reply.headers.append(("Connection", "close"))
        return super().frame(reply)

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        super().converse(reader, connection)
        return False


@clothing
class EarlyHints(Wild):
    """Interim responses before the final one."""

    def frame(self, reply: Reply) -> bytes:
        return b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" + super().frame(reply)


@clothing
class NoReason(Wild):
    """A status line without a reason phrase, and white space around values."""

    def head(self, reply: Reply) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} ", *(f"{name}:  {value}\t" for name, value in reply.headers), "", ""]
        return "\r\n".join(lines).encode()


@clothing
class LowerCase(Wild):
    def head(self, reply: Reply) -> bytes:
        reply.headers = [(name.lower(), value) for name, value in reply.headers]
        return super().head(reply)


@clothing
class UpperCase(Wild):
    def head(self, reply: Reply) -> bytes:
        reply.headers = [(name.upper(), value) for name, value in reply.headers]
        return super().head(reply)


@clothing
class InPieces(Wild):
    """The answer trickles: a part of the head, then the rest in several writes."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        ask = read(reader)
        if ask is None:
            return False
        data = self.frame(self.answer(ask))
        for part in (data[:9], data[9:60], data[60:-1], data[-1:]):
            connection.sendall(part)
            time.sleep(0.001)
        return True


@clothing
class StrictQuery(Wild):
    """A parameter that it does not know is refused before anything else."""

    keys = ("main", "second", "empty_wallet")

    def route(self, ask: Ask) -> Reply | None:
        unknown = "?" in ask.target and ask.target.startswith(self.prefix)
        return self.error(400, "There are no parameters.") if unknown else super().route(ask)


@clothing
class ShownInPart(Wild):
    """A refusal names the key as consoles do: its beginning and its end."""

    keys = ("main", "second", "empty_wallet")

    def authenticate(self, ask: Ask) -> Reply | None:
        reply = super().authenticate(ask)
        if reply is not None:
            said = self.error(401, f"Incorrect API key provided: {(ask.key or '')[:7]}***{(ask.key or '')[-4:]}.")
            reply.body = said.body
        return reply


@clothing
class NoDateOnErrors(Wild):
    """What a server in front refuses by itself has no Date."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply = super().dress(ask, reply)
        if reply.status >= 400:
            reply.headers = [line for line in reply.headers if line[0] != "Date"]
        return reply


@clothing
class CompressesOnRequest(Wild):
    """gzip for whoever accepts it."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if "gzip" in ask.headers.get("accept-encoding", "") and ask.target.startswith(self.prefix):
            reply.body = gzip.compress(reply.body)
            reply.headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        return super().dress(ask, reply)


@clothing
class CompressesPieceByPiece(Wild):
    """Each piece a gzip member of its own, under the old name (RFC 1952, section 2.2; RFC 9110, section 8.4.1.3)."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if "gzip" in ask.headers.get("accept-encoding", "") and ask.target.startswith(self.prefix):
            reply.body = b"".join(gzip.compress(reply.body[at : at + 50]) for at in range(0, len(reply.body), 50))
            reply.headers.append(("Content-Encoding", "x-gzip"))
        return super().dress(ask, reply)


@clothing
class EmptyLineBehind(Wild):
    """An empty line follows every answer, as old programs send it; the next one is no part of it."""

    def frame(self, reply: Reply) -> bytes:
        return super().frame(reply) + b"\r\n"


@clothing
class SmallBodiesOnly(Wild):
    """413 in the envelope as soon as Content-Length says so; the rest is read and thrown away before it closes."""

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        self.contacted = True
        line = reader.readline().decode().split()
        if len(line) != 3:
            return False
        headers: dict[str, str] = {}
        while (text := reader.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        ask = Ask(line[0], line[1], headers, b"")
        length = int(headers.get("content-length", 0))
        if length <= 100_000:
            ask.body = reader.read(length)
            connection.sendall(self.frame(self.answer(ask)))
            return True
        reply = self.dress(ask, self.error(413, "The body is too large."))
        reply.headers.append(("Connection", "close"))
        connection.sendall(self.frame(reply))
        connection.shutdown(1)
        while reader.read(65536):
            pass
        return False


@clothing
class SmallBodiesAtOpenAi(SmallBodiesOnly):
    dialect = "openai"
    keys = ("main",)


@clothing
class IdsOfItsOwnForStrangeOnes(Wild):
    """An id that it does not like is replaced, or refused by the server in front, without the envelope."""

    def route(self, ask: Ask) -> Reply | None:
        given = ask.headers.get("x-request-id", "")
        if not given.isascii() or "%0d" in given:
            return Reply(400, b"<h1>Bad Request</h1>", [("Content-Type", "text/html")])
        if len(given) > 64:
            ask.headers["x-request-id"] = "too-long"
        return super().route(ask)


@clothing
class ErrorsNotStored(Wild):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        if reply.status >= 400:
            reply.headers.append(("Cache-Control", "private, no-cache, no-store, max-age=0, must-revalidate"))
        return super().dress(ask, reply)


@clothing
class Slow(Wild):
    """0.3 s a picture, and a while for everything else."""

    def answer(self, ask: Ask) -> Reply:
        time.sleep(0.02)
        return super().answer(ask)

    def picture(self, width: int, height: int) -> bytes:
        time.sleep(0.3)
        return super().picture(width, height)


@clothing
class Cookies(Wild):
    """What a content delivery network adds."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [
            ("Set-Cookie", "__cf_bm=abc; path=/; HttpOnly"), ("Set-Cookie", "other=1"), ("CF-RAY", "8f-AMS"),
            ("Alt-Svc", 'h3=":443"; ma=86400'), ("Strict-Transport-Security", "max-age=1"), ("Server", "wild"),
            ("Vary", "Origin, Accept-Encoding"), ("Cache-Control", "no-store"), ("X-Cost-Cents", "0.12"),
        ]  # fmt: skip
        return super().dress(ask, reply)


# Moods.


class Moody(Wild):
    """About one request in twenty is answered with a documented 503."""

    seed = 0

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def unavailable(self, ask: Ask) -> Reply | None:
        with self.lock:
            number = next(self.asked) + 7 * self.seed
        return self.error(503, "Try again.") if number * 2654435761 % 2**32 < 2**32 // 20 else None

    steps = ("unavailable", *Wild.steps)


for _seed in range(1, 6):
    clothing(type(f"Moody{_seed}", (Moody,), {"seed": _seed}))


@clothing
class UnavailableForAWhile(Wild):
    """A deployment in the middle of the check: half a second of 503s, with the second to wait."""

    steps = ("unavailable", *Wild.steps)
    since: float | None = None

    def unavailable(self, ask: Ask) -> Reply | None:
        if next(self.asked) < 20:
            return None
        self.since = self.since or time.monotonic()
        if time.monotonic() > self.since + 0.5:
            return None
        reply = self.error(503, "Back soon.")
        reply.headers.append(("Retry-After", "1"))
        return reply


@clothing
class HangsUpNowAndThen(Wild):
    """Every fifteenth connection is closed instead of answered."""

    def __init__(self) -> None:
        super().__init__()
        self.conversations = count(1)

    def converse(self, reader: BinaryIO, connection: Any) -> bool:
        return next(self.conversations) % 15 != 0 and super().converse(reader, connection)


@clothing
class LimitedAtFirst(Wild):
    """The main key has used up its limit a moment ago."""

    declares = declare(limit={"requests": 600, "window_s": 60.0, "burst": 2.0})

    def limit(self, ask: Ask) -> Reply | None:
        first = ask.key == KEYS["main"] and next(self.asked) == 1
        return self.limited(1) if first else super().limit(ask)
