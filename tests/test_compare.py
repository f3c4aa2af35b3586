"""`testcard compare`: a regression is named and ends with 1; noise, known failures and other loads do not."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testcard import schemas
from testcard.core.loadpart import Interval
from testcard.core.record import Finding, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import Footer, Header, RunWriter
from testcard.core.summary import LoadSummary
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.reports.comparison import incomparable, shift

AT = "2026-11-22T10:00:00Z"
BODY = '{"prompt": "a cat"}'


def write_run(
    directory: Path,
    *,
    broken: tuple[str, ...] = (),
    scale: float = 1.0,
    seed: int = 1,
    rate: float = 10.0,
    known: tuple[str, ...] = (),
) -> Path:
    """A run of the whole catalogue and 600 arrivals with lognormal latencies times `scale`."""
    target = replace(profile_target("mock"), base_url="http://127.0.0.1:8600/v1")
    plan = plan_load(target, rate_per_s=rate, duration_s=600 / rate, warmup_s=0.0)
    names = tuple(schemas.requirements())
    rows = [{"requirement": name, "reason": "ticket 7", "expires": "2999-01-01"} for name in known]
    header = Header("0.1.0", "run", AT, target.describe(), 1, names, plan.to_json(), {"known_failures": rows})
    dice = random.Random(seed)
    with RunWriter(directory, header, Redactor()) as writer:
        for number, case in enumerate(("minimal", "without a key", "truncated JSON"), 1):
            writer.add(
                Record(number, case, "check", AT, "POST", "u", key="main", status=200 + 200 * (number > 1), sent_s=0.0)
            )
        for name in names:
            writer.add(Finding(name, held=name not in broken, expected="right", actual="wrong", evidence=(1,)))
        for index, arrival in enumerate(plan.schedule()):
            took = dice.lognormvariate(-3, 0.5) * scale
            sent = arrival.offset_s
            writer.add(
                Record(
                    10 + index, "load", arrival.phase, AT, "POST", "u", key="main", request_body=BODY, status=200,
                    planned_s=sent, sent_s=sent, first_byte_s=sent + took, last_byte_s=sent + took, outcome="valid",
                    size="1024x1024",
                )
            )  # fmt: skip
        writer.end(Footer("complete", AT, 0))
    (directory / "generator.json").write_text('{"cores": 2, "workers": []}')
    return directory


def compared(base: Path, new: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "testcard", "compare", str(base), str(new)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_requirement_that_broke_is_a_regression(tmp_path: Path) -> None:
    """The requirement is named with what came, and the exit code is 1; the other way round it healed."""
    good, bad = write_run(tmp_path / "a"), write_run(tmp_path / "b", broken=("image.size",))
    code, text = compared(good, bad)
    assert code == 1
    assert "image.size  broke: pass → fail  wrong" in text
    code, text = compared(bad, good)
    assert code == 0
    assert "image.size  healed: fail → pass" in text


def test_a_should_that_broke_is_shown_and_no_regression(tmp_path: Path) -> None:
    """A SHOULD warns; it does not fail a nightly job."""
    code, text = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", broken=("auth.challenge",)))
    assert code == 0
    assert "auth.challenge  warned: pass → warn" in text


def test_a_known_failure_is_no_regression(tmp_path: Path) -> None:
    """What was accepted until a date does not fail the comparison before it."""
    new = write_run(tmp_path / "b", broken=("image.size",), known=("image.size",))
    assert compared(write_run(tmp_path / "a"), new)[0] == 0


@pytest.mark.parametrize("seed", range(2, 8))
def test_two_samples_of_one_distribution_are_no_regression(tmp_path: Path, seed: int) -> None:
    """Noise between two runs of the same server is not called slower."""
    code, text = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", seed=seed))
    assert code == 0, text
    assert "p50" in text


def test_a_slower_server_is_a_regression_and_a_faster_one_is_not(tmp_path: Path) -> None:
    """Half as slow again shows in 600 samples."""
    usual, slow = write_run(tmp_path / "a"), write_run(tmp_path / "b", scale=1.5, seed=2)
    code, text = compared(usual, slow)
    assert code == 1
    assert "slower at p50, p95" in text
    assert compared(slow, usual)[0] == 0


def test_loads_at_other_rates_are_not_compared(tmp_path: Path) -> None:
    """A slower answer at twice the rate says nothing about the server's change; the reason is given."""
    code, text = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", scale=2.0, rate=20.0))
    assert code == 0
    assert "latency is not compared: the offered rates differ" in text


def test_a_folder_that_is_no_run_is_a_usage_error(tmp_path: Path) -> None:
    """One sentence, exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "testcard", "compare", str(tmp_path), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is no run directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"mix": "512x512 50%, 1024x1024 50%"}, "the loads differ in mix"),
        ({"loop": "closed", "clients": 4, "think_s": 1.0}, "the loads differ in loop: open and closed"),
        ({"loop": "replace"}, "a preview cancels what is slow"),
    ],
)
def test_loads_of_other_kinds_are_not_compared(changes: dict[str, Any], reason: str | None) -> None:
    """Another mix or loop measures something else; a preview's latencies are those of the quick answers."""
    empty: dict[str, float] = {}
    load = LoadSummary("steady", "ok", {}, 10.0, 10.0, 30.0, empty, empty, {})
    found = incomparable(load, replace(load, **changes))
    assert (found or "").startswith(reason or "")
    assert (found is None) is (reason is None)


@pytest.mark.parametrize(
    ("new_s", "bounds", "verdict"),
    [
        (1.0, (0.99, 1.01), "same"),
        (1.04, (1.03, 1.05), "same"),  # certain, and 4 % only
        (1.06, (1.05, 1.07), "slower"),
        (1.2, (1.005, 1.4), "same"),  # the intervals overlap
        (1.2, (None, 1.4), "same"),  # an open end reaches everything
        (0.94, (0.93, 0.95), "faster"),
        (0.94, (0.93, None), "same"),
        (0.96, (0.95, 0.97), "same"),
    ],
)
def test_a_shift_is_certain_and_large_enough(
    new_s: float, bounds: tuple[float | None, float | None], verdict: str
) -> None:
    """Disjoint confidence intervals and 5 %, from what the two summaries state."""
    base = LoadSummary(
        "steady", "ok", {}, 10.0, 10.0, 30.0, {"p95": 1.0}, {}, {}, latency_bounds_s={"p95": Interval(0.99, 1.01)}
    )
    new = replace(base, latency_s={"p95": new_s}, latency_bounds_s={"p95": Interval(*bounds)})
    found = shift("p95", base, new)
    assert found is not None
    assert found.verdict == verdict
    assert shift("p99", base, new) is None
    assert shift("p95", base, replace(new, latency_bounds_s=None)) is None
