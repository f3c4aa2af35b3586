"""A load of a server that does as a test says, and what came of it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from testcard.core.budget import Budget
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter
from testcard.core.target import Keyring, Target
from testcard.load import Generator, LoadPlan, Progress, conclude, plan_load, run

KEY = "sk-test-0123456789-secret"
SIZE = "64x48"


def png(width: int, height: int, colour: int) -> bytes:
    picture = Image.effect_noise((width, height), 50).convert("RGB")
    picture.putpixel((0, 0), (colour % 256, colour // 256 % 256, 1))
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def raw_answer(body: dict[str, Any], status: str = "200 OK", head: str = "") -> bytes:
    data = json.dumps(body).encode()
    lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}Content-Length: {len(data)}\r\n\r\n"
    return lines.encode() + data


def good_answer(index: int) -> bytes:
    picture = base64.b64encode(png(64, 48, index)).decode()
    return raw_answer({"created": int(time.time()), "data": [{"b64_json": picture}]})


@dataclass
class Served:
    """A server that answers each arrival by its index, and what it saw."""

    answer: Callable[[int], bytes | None]
    """The bytes to send; None: hang up with a reset."""
    base_url: str = ""
    seen: list[int] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, index: int) -> None:
        with self.lock:
            self.seen.append(index)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)

    def leave(self) -> None:
        with self.lock:
            self._now -= 1


@contextmanager
def serving(answer: Callable[[int], bytes | None]) -> Iterator[Served]:
    """Serve `answer` on loopback for as long as the block runs."""
    served = Served(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match = re.search(r"variation (\d+)-", body["prompt"])
            index = int(match[1]) if match else -1
            served.enter(index)
            try:
                data = served.answer(index)
            finally:
                served.leave()
            if data is None:
                linger = struct.pack("ii", 1, 0)  # close with a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                return
            try:
                self.wfile.write(data)
            except OSError:
                self.close_connection = True
            if not data.endswith(b"}"):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def target_of(base_url: str, **fields: Any) -> Target:
    declared: dict[str, Any] = {
        "model": "m",
        "dialect": "openai",
        "sizes": (SIZE,),
        "default_size": SIZE,
        "default_response_format": "b64_json",
        "timeout_s": 10.0,
    }
    return Target(base_url, **(declared | fields))


@dataclass
class Loaded:
    """What a run left behind."""

    records: list[Record]
    generator: Generator | None
    plan: LoadPlan
    directory: Path

    @property
    def arrivals(self) -> dict[str, int]:
        load = conclude(self.plan.to_json(), self.records, generator=self.generator)
        assert load.arrivals["planned"] == load.arrivals["sent"] + load.arrivals["dropped"]
        assert load.arrivals["sent"] == load.arrivals["answered"] + load.arrivals["lost"]
        return load.arrivals


def load_of(
    plan: LoadPlan,
    target: Target,
    directory: Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    budget: Budget | None = None,
    started: float | None = None,
    sent: tuple[float, ...] = (),
) -> Loaded:
    """Run a plan, however it ends, and read back what it wrote."""
    keyring = Keyring(target, {"TESTCARD_API_KEY": KEY})
    redactor = Redactor(keyring.values)
    with RunWriter(directory, Header("0", "load", "", target.describe(), 1, load=plan.to_json()), redactor) as writer:
        run(
            plan,
            target,
            keyring,
            directory=directory,
            writer=writer,
            redactor=redactor,
            budget=budget or Budget(),
            started=time.monotonic() if started is None else started,
            first_number=7,
            sent=sent,
            on_progress=on_progress,
        )
        writer.end(Footer("complete", "", writer.records))
    return read_load(plan, directory)


def read_load(plan: LoadPlan, directory: Path) -> Loaded:
    return Loaded(list(RunFile(directory).records()), Generator.read(directory), plan, directory)


def plan_of(target: Target, **options: Any) -> LoadPlan:
    settings: dict[str, Any] = {"warmup_s": 0.0, "arrivals": "constant"}
    return plan_load(target, **(settings | options))


def workers_left() -> list[int]:
    """The processes of our own loads that dispatch: children of this process that run Locust, and their forks."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    locust = {int(pid): int(ppid) for pid, ppid, args in rows if "-m locust" in args}
    ours = [pid for pid, ppid in locust.items() if ppid == os.getpid()]
    return [pid for pid, ppid in locust.items() if ppid in ours] or ours


def until(condition: Callable[[], bool], then: Callable[[], object], *, most_s: float = 20) -> None:
    deadline = time.monotonic() + most_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    then()
