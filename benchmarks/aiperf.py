"""AIPerf beside us, from an environment of its own: `python -m venv aiperf && aiperf/bin/pip install aiperf`.

It wants a tokenizer from a hub before it asks for pictures, which have no tokens. It gets one of four words, in a cache
made for the run, and is told to stay offline.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_TOKENIZER = "bench/words"
_REVISION = "0" * 40
_MAKE_TOKENIZER = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
words = Tokenizer(models.WordLevel({"?": 0, "a": 1, "lighthouse": 2, "in": 3}, unk_token="?"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained(sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Aiperf:
    """What AIPerf says of a run, and what it took."""

    requests: int
    cpu_s: float
    """Of all its processes, start and end included."""
    percentiles_s: dict[str, float]


def aiperf(executable: Path, port: int, *, rate_per_s: float, requests: int) -> Aiperf:
    """Ask for so many pictures at that rate, constant."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_proxy")}
        environment |= {"HF_HOME": str(home / "hub"), "HF_HUB_OFFLINE": "1"}
        _make_tokenizer(executable, home / "hub")
        command = [str(executable), "profile", "--model", "m", "--url", f"http://127.0.0.1:{port}", "--ui", "none"]
        command += [
            "--endpoint-type",
            "image-generation",
            "--tokenizer",
            _TOKENIZER,
            "--artifact-dir",
            str(home / "out"),
        ]
        command += [
            "--request-rate",
            f"{rate_per_s:g}",
            "--request-count",
            str(requests),
            "--arrival-pattern",
            "constant",
        ]
        before = _children_cpu_s()
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        spent = _children_cpu_s() - before
        if done.returncode:
            raise SystemExit(f"AIPerf ended with {done.returncode}: {done.stdout[-400:]}{done.stderr[-400:]}")
        told = json.loads((home / "out/profile_export_aiperf.json").read_text(encoding="utf-8"))
    latency = {name: told["request_latency"][name] / 1000 for name in ("p50", "p90", "p95", "p99")}
    return Aiperf(round(told["request_count"]["avg"]), spent, latency)


def aiperf_cpu_s(executable: Path, port: int, *, rate_per_s: float, requests: int) -> float:
    """CPU time of one more request: of a run against one of a third of its length, so that its start does not count."""
    short, long = (
        aiperf(executable, port, rate_per_s=rate_per_s, requests=count) for count in (requests // 3, requests)
    )
    return (long.cpu_s - short.cpu_s) / (long.requests - short.requests)


def _make_tokenizer(executable: Path, hub: Path) -> None:
    place = hub / "hub" / f"models--{_TOKENIZER.replace('/', '--')}"
    files = place / "snapshots" / _REVISION
    files.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs/main").write_text(_REVISION, encoding="ascii")
    (files / "config.json").write_text('{"model_type": "gpt2"}', encoding="ascii")
    python = executable.with_name("python")
    subprocess.run([str(python), "-c", _MAKE_TOKENIZER, str(files)], capture_output=True, check=True)


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
