"""What the load benchmarks share: the server, a load with its CPU and memory metered, a bare Locust loop beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from testcard.core.budget import Budget
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunFile, RunWriter
from testcard.core.summary import LoadSummary
from testcard.core.target import Keyring, Target
from testcard.load import Generator, LoadPlan, Progress, conclude, plan_load, run

HERE = Path(__file__).parent
_REQUEST = ("/v1/images/generations", json.dumps({"model": "m", "prompt": "a lighthouse", "n": 1}))


@dataclass(frozen=True, slots=True)
class Served:
    """A picture server that runs."""

    port: int
    side: int
    answer_bytes: int
    process: psutil.Process

    @property
    def target(self) -> Target:
        size = f"{self.side}x{self.side}"
        return Target(f"http://127.0.0.1:{self.port}/v1", model="m", timeout_s=30.0, sizes=(size,), default_size=size)


@contextmanager
def serving(picture_bytes: int, *options: str) -> Iterator[Served]:
    """Serve pictures of that size; options are those of picture_server.py."""
    command = [sys.executable, str(HERE / "picture_server.py"), "--picture-bytes", str(picture_bytes), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the server has no pipes")
        told = json.loads(server.stdout.readline())
        try:
            yield Served(**told, process=psutil.Process(server.pid))
        finally:
            server.stdin.close()


@dataclass(slots=True)
class Meter:
    """CPU and memory of a load's processes while it runs. What it takes itself counts as the parent's."""

    seen: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Arrivals done, and the CPU seconds spent by then: by `parent`, `worker` and `judging`."""
    peak_rss: dict[str, int] = field(default_factory=dict)
    _parts: list[tuple[str, psutil.Process]] = field(default_factory=list)

    def look(self, progress: Progress) -> None:
        """Note how far it is."""
        if not progress.done:
            self.seen.clear()  # only the last look before the load began
            self._parts = _processes()
        cpu: dict[str, float] = {}
        for kind, process in self._parts:
            try:
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info()
            except psutil.Error:
                return  # it is ending: the last look stands
            cpu[kind] = cpu.get(kind, 0.0) + times.user + times.system
            self.remember(kind, memory.rss)
        self.seen.append((progress.done, cpu))

    def cpu_s_by_process(self) -> dict[str, float]:
        """CPU seconds per arrival, from when all were ready to when nearly all was judged."""
        (_, before), (done, after) = self.seen[0], self.seen[-1]
        return {kind: (spent - before.get(kind, 0.0)) / done for kind, spent in after.items()}

    def cpu_s_per_arrival(self) -> float:
        """The same of all processes together."""
        return sum(self.cpu_s_by_process().values())

    def remember(self, kind: str, rss: int) -> None:
        """Keep the largest."""
        self.peak_rss[kind] = max(self.peak_rss.get(kind, 0), rss)


def _processes() -> list[tuple[str, psutil.Process]]:
    """The processes of a load; looking for them takes longer than looking at them."""
    me = psutil.Process()
    found = [("parent", me)]
    for child in me.children(recursive=True):
        try:
            words = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if "picture_server" not in words:
            found.append(("judging" if "judging" in words else "worker", child))
    return found


@dataclass(frozen=True, slots=True)
class Loaded:
    """A load that has ended."""

    plan: LoadPlan
    summary: LoadSummary
    generator: Generator
    meter: Meter
    planned: dict[str, float]
    """When the measured arrivals were due, on the monotonic clock, by request id."""
    conclude_s: float


def load(target: Target, *, keep: bool = True, **options: Any) -> Loaded:
    """One load, as `testcard load` runs it."""
    plan = plan_load(target, response_format="b64_json", **options)
    keyring = Keyring(target, {"TESTCARD_API_KEY": "sk-no-server-asks-for-it-0123456789"})  # redacted as any other
    redactor, started, meter = Redactor(keyring.values), time.monotonic(), Meter()
    looked = 0.0

    def look(progress: Progress) -> None:
        nonlocal looked
        if (progress.done or 0.0 < progress.starts_in_s < 1.0) and time.monotonic() - looked > 0.1:
            looked = time.monotonic()
            meter.look(progress)

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        writer = RunWriter(directory, Header("0", "load", "", target.describe(), 1, load=plan.to_json()), redactor)
        generator = run(
            plan, target, keyring, directory=directory, writer=writer, redactor=redactor, budget=Budget(),
            started=started, on_progress=look,
        )  # fmt: skip
        writer.end(Footer("complete", "", writer.records))
        began = time.process_time()
        summary = conclude(plan, RunFile(directory).records(), generator=generator)
        conclude_s = time.process_time() - began
        meter.remember("parent", psutil.Process().memory_info().rss)
        planned = {
            record.request_id or "": started + record.planned_s
            for record in RunFile(directory).records()
            if keep and record.phase == "measured"
        }
    return Loaded(plan, summary, generator, meter, planned, conclude_s)


@dataclass(frozen=True, slots=True)
class Bare:
    """What Locust says of itself."""

    requests: int
    cpu_s: float
    """From the moment that all users ran."""
    percentiles_s: dict[str, float]


def bare_locust(port: int, *, users: int, duration_s: float, rate_per_s: float | None = None) -> Bare:
    """A FastHttpUser loop that looks at nothing: users that ask again at once, or `constant_throughput` together."""
    path, body = _REQUEST
    script = _LOCUSTFILE.format(path=path, body=body, each=rate_per_s / users if rate_per_s else 0.0)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "locustfile.py").write_text(script, encoding="utf-8")
        command = [sys.executable, "-m", "locust", "--headless", "--users", str(users), "--spawn-rate", str(users)]
        command += ["--run-time", f"{duration_s:.0f}s", "--stop-timeout", "10", "--host", f"http://127.0.0.1:{port}"]
        command += ["--only-summary", "--loglevel", "ERROR"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return Bare(**json.loads(line))


_LOCUSTFILE = """
import json, time
from locust import FastHttpUser, constant, constant_throughput, events, task

class Asks(FastHttpUser):
    wait_time = constant_throughput({each}) if {each} else constant(0)

    @task
    def ask(self):
        self.client.post({path!r}, data={body!r}, headers={{"Content-Type": "application/json"}})

began = []

@events.spawning_complete.add_listener
def ready(**_):
    began.append((time.process_time(), None))

@events.quitting.add_listener
def done(environment, **_):
    total = environment.stats.total
    names = {{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}}
    shares = {{name: total.get_response_time_percentile(q) / 1000 for name, q in names.items()}}
    print(json.dumps({{"requests": total.num_requests, "cpu_s": time.process_time() - began[0][0],
                       "percentiles_s": shares}}), flush=True)
"""


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The middle of some repetitions, with the lowest and the highest: `0.71 (0.68 to 0.75)`."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return f"{form(middle)} ({form(ordered[0])} to {form(ordered[-1])})" if len(ordered) > 1 else form(middle)
