"""The server of the load benchmarks: fast, honest about its own times, and a different picture in every answer.

    python benchmarks/picture_server.py --picture-bytes 1500000 --median 0.05 --log served.json

It prints its port and serves until standard input ends. One thread on epoll; what it costs stays below what is
measured. For each request it notes, on the monotonic clock that all processes of a machine share, when the request
was complete, when the answer's last byte was handed to the system, and when that byte left: the system's own note
(Linux, SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_SOFTWARE, Documentation/networking/timestamping.rst), which no
scheduling delays. On loopback what leaves has arrived. A client cannot have the byte earlier, and should not have it
much later: that is the truth in load_truth.py. (An acknowledgement would be no better: it may be delayed by 40 ms.)

Pictures are PNGs of noise. Each carries a text chunk of its own in front, so that no two are alike and none costs
more than thirty bytes to make: signature and IHDR are 33 bytes, the chunk 24, and base64 turns threes into fours.
"""

from __future__ import annotations

import argparse
import base64
import heapq
import json
import math
import random
import select
import socket
import struct
import sys
import time
import zlib
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

_SEND_BUFFER = 128 * 1024  # so that what was handed over has nearly arrived
_FRONT = 33
# linux/net_tstamp.h, asm-generic/socket.h, linux/socket.h, linux/errqueue.h: Python has no names for them.
_SO_TIMESTAMPING = 37
_NOTES = 1 << 1 | 1 << 4 | 1 << 7 | 1 << 11  # TX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY
_MSG_ERRQUEUE = 0x2000
_EXTENDED_ERROR = struct.Struct("IBBBBII")


def picture(size_bytes: int) -> tuple[bytes, int]:
    """A PNG of about that size, and its side in pixels.

    Half of each byte is noise: like a real picture it does not compress to nothing, and is no stored block either.
    """
    side = max(8, math.isqrt(size_bytes * 57 // 100))
    dice = random.Random(1)
    rows = b"".join(b"\0" + bytes(byte & 0x0F for byte in dice.randbytes(side * 3)) for _ in range(side))
    head = struct.pack("!IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(
        b"IEND", b""
    ), side


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))


class Answers:
    """Answers without end, no two with the same picture."""

    def __init__(self, picture_bytes: int) -> None:
        whole, self.side = picture(picture_bytes)
        self._front = base64.b64encode(whole[:_FRONT])
        self._rest = base64.b64encode(whole[_FRONT:]) + b'"}]}'
        self._made = 0
        self._dated = (0, b"")
        self.size_bytes = len(self._next_body()[0]) + len(self._rest)

    def _next_body(self) -> tuple[bytes, bytes]:
        self._made += 1
        own = base64.b64encode(_chunk(b"tEXt", b"n\0%010d" % self._made))
        return b'{"created": %d, "data": [{"b64_json": "' % time.time() + self._front + own, self._rest

    def _date(self) -> bytes:
        now = int(time.time())
        if now != self._dated[0]:
            self._dated = now, formatdate(now, usegmt=True).encode()
        return self._dated[1]

    def next(self, request_id: bytes) -> list[memoryview]:
        """One answer, in the pieces to send."""
        start, rest = self._next_body()
        head = (
            b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: application/json\r\nX-Request-Id: %s\r\n"
            b"Content-Length: %d\r\n\r\n" % (self._date(), request_id, len(start) + len(rest))
        )
        if len(rest) < 4096:
            return [memoryview(head + start + rest)]
        return [memoryview(head + start), memoryview(rest)]


@dataclass
class Client:
    """One connection."""

    sock: socket.socket
    buffer: bytes = b""
    request_id: bytes = b""
    received: float = 0.0
    handed: float = 0.0
    leaving: bool = False
    """Its answer was handed over and is not known to have left."""
    sent_bytes: int = 0
    """On this connection."""
    pieces: list[memoryview] = field(default_factory=list)


class Server:
    """Serves until told to end."""

    def __init__(
        self,
        answers: Answers,
        *,
        median_s: float,
        sigma: float,
        stall_at: float,
        stall_s: float,
        noting: bool,
    ) -> None:
        self._answers = answers
        self._median_s, self._sigma = median_s, sigma
        self._stall_at, self._stall_s = stall_at, stall_s
        self._dice = random.Random(7)
        self._noting = noting
        self._clients: dict[int, Client] = {}
        self._due: list[tuple[float, int]] = []
        self._epoll = select.epoll()
        self._stall_due = math.inf
        self.log: list[tuple[str, float, float, float]] = []
        """Request id; request complete, last byte handed over, last byte departed."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Until standard input ends."""
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            for number, event in self._epoll.poll(self._timeout()):
                if number == sys.stdin.fileno():
                    return
                self._take(number, event)
            now = time.monotonic()
            if now >= self._stall_due:
                self._stall_due = math.inf
                time.sleep(self._stall_s)
            while self._due and self._due[0][0] <= now:
                _, number = heapq.heappop(self._due)
                if number in self._clients:
                    self._answer(number)

    def _take(self, number: int, event: int) -> None:
        if number == self._listener.fileno():
            self._accept()
        elif event & select.EPOLLERR and self._note_departed(self._clients[number]):
            return  # whatever else there is will be told again
        elif event & (select.EPOLLHUP | select.EPOLLERR):
            self._forget(number)
        else:
            if event & select.EPOLLIN:
                self._receive(number)
            if event & select.EPOLLOUT and number in self._clients:
                self._send(number)

    def _answer(self, number: int) -> None:
        client = self._clients[number]
        client.pieces = self._answers.next(client.request_id)
        self._send(number)

    def _timeout(self) -> float:
        now = time.monotonic()
        left = min(self._due[0][0] if self._due else now + 1.0, self._stall_due) - now
        # epoll counts milliseconds and rounds up: the last one is spent looking.
        return 0.0 if left < 0.001 else left - 0.001

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            if self._noting:
                sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _NOTES)
            self._clients[sock.fileno()] = Client(sock)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _forget(self, number: int) -> None:
        client = self._clients.pop(number, None)
        if client is not None:
            client.sock.close()

    def _receive(self, number: int) -> None:
        client = self._clients[number]
        try:
            data = client.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._forget(number)
            return
        client.buffer += data
        head, separator, body = client.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.lower(): value.strip() for name, _, value in lines}
        if len(body) < int(fields.get(b"content-length", b"0")):
            return
        client.buffer = b""
        client.received = time.monotonic()
        if not self.log and self._stall_due == math.inf and self._stall_at:
            self._stall_due, self._stall_at = client.received + self._stall_at, 0.0
        client.request_id = fields.get(b"x-request-id", b"")
        if self._median_s == 0.0:
            self._answer(number)
        else:
            service_s = self._median_s * math.exp(self._dice.gauss(0.0, self._sigma))
            heapq.heappush(self._due, (client.received + service_s, number))

    def _send(self, number: int) -> None:
        client = self._clients[number]
        waiting = True
        try:
            while client.pieces:
                sent = client.sock.send(client.pieces[0])
                client.sent_bytes += sent
                client.pieces[0] = client.pieces[0][sent:]
                if not client.pieces[0]:
                    client.pieces.pop(0)
            waiting = False
        except BlockingIOError:
            pass
        except OSError:
            self._forget(number)
            return
        self._epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if waiting else 0))
        if not waiting:
            client.handed = time.monotonic()
            client.leaving = True

    def _note_departed(self, client: Client) -> bool:
        """Read the system's notes of what has left; returns whether there was one."""
        found = False
        while True:
            try:
                _, notes, _, _ = client.sock.recvmsg(0, 512, _MSG_ERRQUEUE)
            except OSError:
                return found
            found = True
            moment = last = 0.0
            for _, kind, data in notes:
                if kind == _SO_TIMESTAMPING:
                    seconds, nanoseconds = struct.unpack_from("qq", data)
                    moment = seconds + nanoseconds / 1e9 - time.time() + time.monotonic()
                else:
                    last = _EXTENDED_ERROR.unpack_from(data)[-1]
            if client.leaving and last == (client.sent_bytes - 1) % 2**32:
                client.leaving = False
                self.log.append((client.request_id.decode(), client.received, client.handed, moment))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture-bytes", type=int, default=600)
    parser.add_argument("--median", type=float, default=0.0, help="of the lognormal service time, s; 0: at once")
    parser.add_argument("--sigma", type=float, default=0.5)
    parser.add_argument("--stall-at", type=float, default=0.0, help="s after the first request; 0: never")
    parser.add_argument("--stall", type=float, default=2.0, help="how long it then stands still, s")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    answers = Answers(options.picture_bytes)
    server = Server(
        answers,
        median_s=options.median,
        sigma=options.sigma,
        stall_at=options.stall_at,
        stall_s=options.stall,
        noting=options.log is not None,
    )
    print(json.dumps({"port": server.port, "side": answers.side, "answer_bytes": answers.size_bytes}), flush=True)
    server.serve()
    if options.log is not None:
        options.log.write_text(json.dumps(server.log), encoding="utf-8")


if __name__ == "__main__":
    main()
