"""Does the load generator tell the truth? Compares its quantiles with what the server itself recorded.

    python benchmarks/load_truth.py [--duration 30] [--rate 100] [--only NAME]

The server runs in a process of its own and notes, for each request, when its last byte came and when the answer's
last byte was handed to the system. It answers after a lognormal time (median 50 ms, sigma 0.5). A row is true if
the generator's figure lies within 1 % + 1 ms of the server's. In the row of the stall the server stands still for
2 s in the middle; its truth is taken from the planned times, since clients wait from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from testcard.core.budget import Budget
from testcard.core.quantile import quantiles
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter
from testcard.core.target import Keyring, Target
from testcard.load import conclude, plan_load, run

MEDIAN_S = 0.050
SIGMA = 0.5
STALL_S = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    arrivals: str
    rate: float
    answer_bytes: int
    stall: bool = False
    processes: int = 1


CASES = (
    Case("constant", "constant", 100, 1_000),
    Case("Poisson", "poisson", 100, 1_000),
    Case("Poisson, 3 workers", "poisson", 100, 1_000, processes=3),
    Case("1.5 MB answers", "poisson", 50, 1_500_000),
    Case("2 s stall", "poisson", 100, 1_000, stall=True),
)


class Server(asyncio.Protocol):
    """Answers every POST after its time, and notes both ends."""

    log: list[tuple[str, float, float]]
    dice: random.Random
    answer: bytes
    stalled_until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for the type checker)
        transport.set_write_buffer_limits(high=0)  # resume_writing: the system has it all
        self.transport = transport
        self.buffer = b""
        self.leaving: tuple[str, float] | None = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
        if len(body) < int(fields.get(b"content-length", b"0")):
            return
        self.buffer = b""
        received = time.monotonic()
        service = MEDIAN_S * math.exp(self.dice.gauss(0.0, SIGMA))
        request_id = fields.get(b"x-request-id", b"").decode()
        asyncio.get_running_loop().call_later(service, self.respond, request_id, received)

    def respond(self, request_id: str, received: float) -> None:
        self.leaving = request_id, received
        self.transport.write(self.answer)
        if self.transport.get_write_buffer_size() == 0:
            self.resume_writing()

    def resume_writing(self) -> None:
        if self.leaving is not None:
            self.log.append((*self.leaving, time.monotonic()))
            self.leaving = None


async def serve(answer_bytes: int, stall_at: float, output: Path) -> None:
    """Serve until standard input ends; then write what was seen.

    Args:
        stall_at: seconds after the first request at which everything stands still; 0: never.
    """
    Server.log, Server.dice = [], random.Random(7)  # noqa: S311 (service times)
    picture = base64.b64encode(os.urandom(answer_bytes * 3 // 4)).decode()
    body = json.dumps({"created": int(time.time()), "data": [{"b64_json": picture}]}).encode()
    Server.answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = loop.run_in_executor(None, sys.stdin.read)
    while stall_at and not Server.log:
        await asyncio.sleep(0.01)
    if stall_at:
        await asyncio.sleep(stall_at)
        time.sleep(STALL_S)
    await ended
    output.write_text(json.dumps(Server.log), encoding="utf-8")


def measure(case: Case, duration_s: float) -> list[tuple[str, float, float]]:
    """(quantile, truth, measured) of one case, seconds."""
    with tempfile.TemporaryDirectory() as folder:
        directory, seen = Path(folder), Path(folder) / "server.json"
        stall_at = duration_s / 2 if case.stall else 0.0
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(case.answer_bytes), str(stall_at), str(seen)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout is not None and server.stdin is not None  # noqa: S101, PT018 (for the type checker)
        port = int(server.stdout.readline())
        target = Target(f"http://127.0.0.1:{port}/v1", model="truth", auth="none", timeout_s=30.0)
        plan = plan_load(
            target, rate_per_s=case.rate, duration_s=duration_s, warmup_s=2.0, arrivals=case.arrivals,
            processes=case.processes, response_format="b64_json",
        )  # fmt: skip
        redactor, started = Redactor(), time.monotonic()
        writer = RunWriter(directory, Header("0", "load", "", target.describe(), 1, load=plan.to_json()), redactor)
        generator = run(
            plan, target, Keyring(target, {}), directory=directory, writer=writer, redactor=redactor,
            budget=Budget(), started=started,
        )  # fmt: skip
        writer.end(Footer("complete", "", writer.records))
        server.stdin.close()
        server.wait()
        records = {record.request_id: record for record in RunFile(directory).records() if record.phase == "measured"}
        log = [row for row in json.loads(seen.read_text()) if row[0] in records]
        summary = conclude(plan, RunFile(directory).records(), generator=generator)
        if case.stall:
            spans = [end - started - records[key].planned_s for key, _, end in log]
        else:
            spans = [end - received for _, received, end in log]
        truth = quantiles(spans)
        lag = summary.dispatch_lag_s or {}
        share = max(worker.cpu_share or 0.0 for worker in generator.workers)
        print(
            f"{case.name}: {len(log)} answers, {summary.validity}, dispatch lag p50 {lag['p50'] * 1e3:.2f} "
            f"p99 {lag['p99'] * 1e3:.2f} ms, a worker's CPU {share:.0%}"
        )
        return [(name, truth[name], summary.latency_s[name]) for name in truth]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=30.0)
    parser.add_argument("--only", help="the name of one case")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        answer_bytes, stall_at, output = options.serve
        asyncio.run(serve(int(answer_bytes), float(stall_at), Path(output)))
        return
    untrue = 0
    for case in CASES:
        if options.only not in (None, case.name):
            continue
        for name, truth, measured in measure(case, options.duration):
            allowed = 0.01 * truth + 0.001
            good = abs(measured - truth) <= allowed
            untrue += not good and name != "max"
            print(
                f"  {name:6} truth {truth * 1e3:9.2f} ms   measured {measured * 1e3:9.2f} ms   "
                f"{(measured - truth) * 1e3:+7.2f} ms (±{allowed * 1e3:.2f})   {'true' if good else 'NOT TRUE'}"
            )
    sys.exit(1 if untrue else 0)


if __name__ == "__main__":
    main()
