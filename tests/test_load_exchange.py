"""Exchanges as a load's worker makes them, in the clear and over TLS, with servers that say what a test wants."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from certificates import certificate_of

SMALL, LARGE = b"a lighthouse", bytes(range(256)) * 4000
TIMEOUT_S = 1.5
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Host:
    """A server, and how many connections came to it and how many bytes of request bodies."""

    url: str = ""
    connections: int = 0
    bodies: list[int] = field(default_factory=list)


Say = Callable[[Any, int], bool]
"""Sends an answer to the socket, the n-th on this connection; returns whether the connection stays open."""


def _length(body: bytes, head: str = "", told: int | None = None) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body) if told is None else told}\r\n\r\n".encode() + body


def _send(*parts: bytes, stay: bool = True, pause_s: float = 0.0) -> Say:
    def say(connection: Any, _: int) -> bool:
        for number, part in enumerate(parts):
            time.sleep(pause_s if number else 0.0)
            connection.sendall(part)
        return stay

    return say


def _silent(connection: Any, _: int) -> bool:
    with suppress(OSError):
        connection.recv(1)  # until the client hangs up
    return False


def _half(connection: Any, number: int) -> bool:
    connection.sendall(_length(SMALL, told=99))
    return _silent(connection, number)


def _endless(beginning: bytes, more: bytes) -> Say:
    def say(connection: Any, _: int) -> bool:
        connection.sendall(beginning)
        while True:  # until the client hangs up
            connection.sendall(more)

    return say


@contextmanager
def hosting(say: Say, folder: Path | None, *, slow_s: float = 0.0, greet_s: float = 0.0) -> Iterator[Host]:
    """Serve on loopback; over TLS where there is a folder with a certificate.

    Args:
        slow_s: before a request's body is read.
        greet_s: before the handshake of TLS.
    """
    context = None
    if folder is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        host = Host(f"http://127.0.0.1:{port}/" if context is None else f"https://localhost:{port}/")

        def serve(plain: socket.socket) -> None:
            with suppress(OSError), plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                time.sleep(greet_s)
                connection = plain if context is None else context.wrap_socket(plain, server_side=True)
                with connection, connection.makefile("rb") as reader:
                    number = 0
                    while _read(reader, host, slow_s) and say(connection, number):
                        number += 1

        def accept() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                host.connections += 1
                threading.Thread(target=serve, args=(plain,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield host
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _read(reader: Any, host: Host, slow_s: float) -> bool:
    length = 0
    if not (line := reader.readline()):
        return False
    while line := reader.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    time.sleep(slow_s)
    host.bodies.append(len(reader.read(length)))
    return True


@dataclass(frozen=True)
class Asker:
    """The process that makes the exchanges."""

    folder: Path | None
    """Where the certificate of its servers is; None: in the clear."""
    process: subprocess.Popen[str]

    def exchange(self, host: Host, **job: Any) -> list[dict[str, Any]]:
        """What came of the exchanges of one job."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"url": host.url, **job}) + "\n")
        self.process.stdin.flush()
        found: list[dict[str, Any]] = json.loads(self.process.stdout.readline())
        for reply in found:
            assert reply["stamps"] == sorted(reply["stamps"])
        return found


@pytest.fixture(scope="module", params=["http", "https"])
def asker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """One in the clear, one over TLS; neither may complain of anything."""
    folder, trust = None, ""
    if request.param == "https":
        if shutil.which("openssl") is None:
            pytest.skip("install openssl to run this")
        folder = certificate_of(tmp_path_factory.mktemp("tls"))
        trust = str(folder / "certificate.pem")
    command = [sys.executable, str(Path(__file__).with_name("exchanging.py")), str(TIMEOUT_S), trust]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        yield Asker(folder, process)
        _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, "")


ANSWERED: dict[str, tuple[Say, dict[str, Any], bytes, int]] = {
    "one after the other on one connection": (_send(_length(SMALL)), {"times": 3}, SMALL, 1),
    "several at once on a connection each": (_send(_length(SMALL)), {"times": 2, "at_once": 3}, SMALL, 3),
    "a long one, of known length, past the parser": (_send(_length(LARGE)), {"times": 2}, LARGE, 1),
    "a long one in pieces": (_send(_length(LARGE)[:40], _length(LARGE)[40:], pause_s=0.05), {}, LARGE, 1),
    "chunks, and a trailer, which is no header": (
        _send(CHUNKED + b"5\r\na lig\r\n7\r\nhthouse\r\n0\r\nX-T: 1\r\n\r\n"),
        {"times": 2}, SMALL, 1,
    ),
    "an interim answer in front": (
        _send(b"HTTP/1.1 103 Early Hints\r\nX-T: 1\r\n\r\n", _length(SMALL), pause_s=0.05), {"times": 2}, SMALL, 1,
    ),
    "the end of the connection is that of the body": (
        _send(b"HTTP/1.1 200 OK\r\n\r\n" + SMALL, stay=False), {"times": 2}, SMALL, 2,
    ),
    "closed afterwards, as announced": (
        _send(_length(SMALL, "Connection: close\r\n"), stay=False), {"times": 2}, SMALL, 2,
    ),
    "closed afterwards without a word, while idle": (
        _send(_length(SMALL), stay=False), {"times": 2, "pause_s": 0.1}, SMALL, 2,
    ),
    "an empty line too many": (_send(_length(SMALL) + b"\r\n"), {"times": 1}, SMALL, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_arrives_however_it_is_framed(name: str, asker: Asker) -> None:
    """The body, the header lines and no others, three stamps in order, and no more connections than needed."""
    say, job, body, connections = ANSWERED[name]
    with hosting(say, asker.folder) as host:
        found = asker.exchange(host, **job)
    assert len(found) == job.get("times", 1) * job.get("at_once", 1)
    for reply in found:
        assert (reply["failure"], reply["status"]) == (None, 200)
        assert reply["digest"] == hashlib.sha256(body).hexdigest()
        assert len(reply["stamps"]) == 3
        assert "X-T" not in dict(reply["headers"])
        assert reply["leased"] is (body == LARGE)
    assert host.connections == connections


BROKEN: dict[str, tuple[Say, str]] = {
    "another answer behind it": (_send(_length(SMALL) * 2), "framing"),
    "bytes behind it": (_send(_length(SMALL) + b"!"), "framing"),
    "bytes behind a long one": (_send(_length(LARGE) + b"!"), "framing"),
    "cut in its header lines": (_send(_length(SMALL)[:20], stay=False), "framing"),
    "cut in its body": (_send(_length(SMALL)[:-3], stay=False), "framing"),
    "cut in a long body": (_send(_length(LARGE)[:-3], stay=False), "framing"),
    "two lengths": (_send(_length(SMALL, "Content-Length: 3\r\n")), "framing"),
    "hung up": (lambda *_: False, "closed"),
    "a chunk without its size": (_send(CHUNKED + b"xyz\r\n" + SMALL), "framing"),
    "header lines without end": (_endless(b"HTTP/1.1 200 OK\r\n", b"X-T: %b\r\n" % (b"1" * 500) * 200), "framing"),
    "interim answers without end": (_endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3000), "framing"),
    "a chunk's extension without end": (_endless(CHUNKED + b"5;", b"x" * (1 << 20)), "closed"),
    "silence": (_silent, "timeout"),
    "a part and silence": (_half, "timeout"),
}


HEADED = ("another answer behind it", "bytes behind it", "a chunk without its size", "a chunk's extension without end")
"""Their header lines were complete, though what is wrong came along with them: that is not lost."""


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_an_answer_is_told(name: str, asker: Asker) -> None:
    """By its kind, at the latest at the deadline; the connection is not used again, and no stamp says complete."""
    say, kind = BROKEN[name]
    with hosting(say, asker.folder) as host:
        job: dict[str, Any] = {"at_once": 2} if kind == "timeout" else {"times": 2, "pause_s": 0.05}
        found = asker.exchange(host, **job)
    assert [reply["failure"] for reply in found] == [kind, kind]
    assert host.connections == 2
    if name in HEADED:
        assert [(reply["status"], len(reply["stamps"])) for reply in found] == [(200, 2)] * 2
    if kind == "timeout":
        assert [len(reply["stamps"]) for reply in found] == [1 + (say is _half)] * 2


@pytest.mark.parametrize("say", [_silent, _half], ids=["before the answer", "in its middle"])
def test_a_cancelled_exchange_ends_at_once(say: Say, asker: Asker) -> None:
    """Before its deadline, once however often it is cancelled, with its connection; the others go on."""
    with hosting(say, asker.folder) as host:
        found = asker.exchange(host, at_once=2, cancel_s=0.2)
    assert [reply["failure"] for reply in found] == ["cancelled"] * 2
    assert host.connections == 2


def test_one_that_is_cancelled_before_its_connection_is_made_is_not_lost(asker: Asker) -> None:
    """It ends as cancelled; nothing was asked."""
    with hosting(_silent, asker.folder) as host:
        found = asker.exchange(host, at_once=2, cancel_s=0.0)
    assert [reply["failure"] for reply in found] == ["cancelled"] * 2
    assert host.bodies == []


def test_one_that_ends_while_its_connection_comes_about_asks_nothing(asker: Asker) -> None:
    """Both in one turn of a loop that was held up: no request leaves that nobody waits for, and no connection stays."""
    with hosting(_send(_length(SMALL)), asker.folder, greet_s=0.3) as host:
        found = asker.exchange(host, at_once=2, held_s=0.4)
        again = asker.exchange(host)
    assert [reply["failure"] for reply in found] == ["cancelled"] * 2
    assert [reply["failure"] for reply in again] == [None]
    assert host.bodies == ([0] if asker.folder else [0] * 3)  # in the clear a connection comes about at once


def test_a_request_that_does_not_fit_at_once_arrives_whole(asker: Asker) -> None:
    """On a new connection and on a used one, while the server takes its time."""
    with hosting(_send(_length(SMALL)), asker.folder, slow_s=0.1) as host:
        found = asker.exchange(host, times=2, megabytes=8)
    assert [reply["failure"] for reply in found] == [None, None]
    assert host.bodies == [8 << 20] * 2
    assert host.connections == 1


_BEHIND = """
from gevent import monkey; monkey.patch_all()
import gevent, os, time
from gevent.event import Event
from testcard.load.worker.alarm import Alarm
reading, writing = os.pipe()
read = []
watcher = gevent.get_hub().loop.io(reading, 1)
watcher.start(lambda: read.append(os.read(reading, 1)))
os.write(writing, b"x")
late = [time.monotonic() - 1.0 + number / 1e6 for number in range(100)]
alarm = Alarm(late, Event())
seen = [(alarm.wait_until(due), len(read))[1] for due in late]
alarm.close()
assert seen[0] == 0 and seen[20] == 1, seen
"""


def test_whoever_is_behind_still_reads_answers() -> None:
    """A hundred overdue arrivals are not sent in one go: what came in meanwhile is read, and stamped, in between."""
    done = subprocess.run([sys.executable, "-c", _BEHIND], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
