"""Does a crowd of ours live through the same as real clients? Both hit the same limit, in turns.

    python benchmarks/crowd_truth.py [--runs 4] [--clients 34]

Real clients are openai-python, one client and one thread each, on loopback against the bundled mock in a process of its
own. Ours are `testcard load --scenario crowd` with the policy of that version. In each run both ask at the same
moments. What the real clients' own code costs (building a client's request, parsing, threads that wait for each other)
is measured first where nothing is limited, and taken off their latencies. Then the means over the runs are compared:
counts and latencies are to agree within 10 %, the share of clients who fail in the end within 5 percentage points.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import openai

from testcard.core.runfile import RunFile
from testcard.core.targetfile import profile_target
from testcard.load.crowd.simulation import first_asks

WINDOW_S = 6.0
SPAN_S = 2.0
LIMITERS = ("fixed-first", "token-bucket")
WITHIN = 0.10
POINTS = 5.0
PROMPT = "a harbour at low tide, variation"
POLICY = "openai-python" if tuple(map(int, openai.__version__.split(".")[:2])) >= (2, 52) else "openai-python-2.51"


@dataclass(frozen=True)
class Lived:
    """What one crowd lived through."""

    attempts: int
    latencies_s: tuple[float, ...]
    """Of the clients who got a picture, each from its planned first request."""
    clients: int

    def figures(self, overhead_s: float = 0.0) -> dict[str, float]:
        own = [latency - overhead_s for latency in self.latencies_s]
        return {
            "attempts": self.attempts,
            "admitted": len(own),
            "refused": self.attempts - len(own),
            "mean latency, s": fmean(own),
            "median latency, s": median(own),
            "failed in the end, %": 100 * (self.clients - len(own)) / self.clients,
        }


def real(base_url: str, role: str, clients: int, seed: int) -> Lived:
    """Threads with a client of openai-python each, at the moments at which ours ask."""
    key = profile_target("mock").public_keys[role]
    model = str(profile_target("mock").model)
    attempts, latencies, lock = [0], [], threading.Lock()

    def count(_: object) -> None:
        with lock:
            attempts[0] += 1

    def client() -> openai.OpenAI:
        made = openai.OpenAI(api_key=key, base_url=base_url)
        made._client.event_hooks["request"].append(count)
        return made

    def ask(own: openai.OpenAI, number: int, due: float) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        with contextlib.suppress(openai.APIStatusError):
            own.images.generate(
                model=model, prompt=f"{PROMPT} {seed}-{number}", size="512x512", response_format="b64_json"
            )
            with lock:
                latencies.append(time.monotonic() - due)

    made = [client() for _ in range(clients)]
    start = time.monotonic() + 0.5
    threads = [
        threading.Thread(target=ask, args=(own, number, start + at))
        for number, (own, at) in enumerate(zip(made, first_asks(clients, SPAN_S, seed), strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in made:
        own.close()
    return Lived(attempts[0], tuple(latencies), clients)


def ours(base_url: str, role: str, clients: int, seed: int) -> Lived:
    """The scenario, as a user runs it."""
    with tempfile.TemporaryDirectory() as folder:
        target = f'[target]\nextends = "mock"\nbase_url = "{base_url}"\n'
        if role == "limited":
            target += f"[target.limited]\nrequests = 10\nwindow_s = {WINDOW_S}\n"
        else:  # without a limited key the crowd uses the main one
            target = f'[target]\nbase_url = "{base_url}"\nmodel = "{profile_target("mock").model}"\n'
            target += 'dialect = "page"\nmedia_hosts = ["127.0.0.1"]\n'
        Path(folder, "target.toml").write_text(target, encoding="utf-8")
        command = [sys.executable, "-m", "testcard", "load", "--target", "target.toml", "--scenario", "crowd"]
        command += ["--clients", str(clients), "--duration", f"{SPAN_S}s", "--policy", POLICY, "--seed", str(seed)]
        command += ["--size", "512x512", "--response-format", "b64_json", "--out", "out"]
        environ = os.environ | {"TESTCARD_API_KEY": profile_target("mock").public_keys["main"]}
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"testcard load ended with {done.returncode}: {done.stderr}")
        records = [record for record in RunFile(Path(folder, "out")).records() if record.client is not None]
        first = {record.client: record.planned_s for record in records if record.attempt == 1}
        good = {record.client: record.last_byte_s for record in records if record.outcome == "valid"}
    return Lived(len(records), tuple(end - first[client] for client, end in good.items() if end), clients)


@contextlib.contextmanager
def mock(limiter: str) -> Iterator[str]:
    command = [sys.executable, "-m", "testcard", "mock", "--port", "0", "--window", f"{WINDOW_S}s"]
    command += ["--limiter", limiter, "--latency-median", "400ms", "--latency-p99", "600ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            yield next(word for word in first.split() if word.startswith("http://"))
        finally:
            process.terminate()


Side = Callable[[str, str, int, int], Lived]


def mean_of(crowds: list[Lived], overhead_s: float = 0.0) -> dict[str, float]:
    rows = [crowd.figures(overhead_s) for crowd in crowds]
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def compared(limiter: str, runs: int, clients: int) -> tuple[list[tuple[str, float, float, str, bool]], float]:
    """The rows of the table, and what the real clients' own code costs, seconds."""
    seen: dict[Side, list[Lived]] = {real: [], ours: []}
    with mock(limiter) as base_url:
        unlimited = {side: [side(base_url, "main", clients, seed) for seed in (101, 102)] for side in seen}
        means = {side: mean_of(unlimited[side])["mean latency, s"] for side in seen}
        overhead = means[real] - means[ours]
        for seed in range(1, runs + 1):
            sides = list(seen) if seed % 2 else list(seen)[::-1]
            for side in sides:
                time.sleep(2 * WINDOW_S)
                seen[side].append(side(base_url, "limited", clients, seed))
                print(f"{limiter}, run {seed}: {side.__name__:<5} {told(seen[side][-1])}", flush=True)
    theirs, own = mean_of(seen[real], overhead), mean_of(seen[ours])
    rows = []
    for name in theirs:
        if name.endswith("%"):
            apart = own[name] - theirs[name]
            rows.append((name, theirs[name], own[name], f"{apart:+.1f} points", abs(apart) <= POINTS))
        else:
            apart = own[name] / theirs[name] - 1
            rows.append((name, theirs[name], own[name], f"{apart:+.1%}", abs(apart) <= WITHIN))
    return rows, overhead


def told(crowd: Lived) -> str:
    return json.dumps({name: round(value, 3) for name, value in crowd.figures().items()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--clients", type=int, default=34)
    options = parser.parse_args()
    agree = True
    lines = []
    for limiter in LIMITERS:
        rows, overhead = compared(limiter, options.runs, options.clients)
        for name, theirs, own, apart, within in rows:
            lines.append(f"| {limiter} | {name} | {theirs:.3g} | {own:.3g} | {apart} |")
            agree = agree and within
        lines.append(f"| {limiter} | own cost taken off, ms | {1000 * overhead:.0f} | | |")
    print(f"\nopenai-python {openai.__version__}, {options.clients} clients, {options.runs} runs each")
    print("| limiter | mean of | real clients | `crowd` | apart |\n|---|---|---|---|---|")
    print("\n".join(lines))
    print("\nagree" if agree else "\nDISAGREE")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
