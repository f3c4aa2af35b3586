"""Scenarios through the command line: what they send, what they cancel, what they say of themselves."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from PIL import Image

from testcard import schemas
from testcard.cli import testcard as command
from testcard.core.errors import UsageError
from testcard.core.record import Record
from testcard.core.runfile import RunFile
from testcard.core.summary import LoadSummary, Summary
from testcard.load import scenarios
from testcard.mock_server import MockSettings, running

SIZE = "64x48"
PREVIEW = """
statement = "Somebody types fast."
loop = "replace"
duration_s = 2.4
warmup_s = 0.0
gap_s = [0.3, 0.3]

[[stage]]
name = "typing"
phase = "measured"
of = "duration"
share = 1.0
"""


def cli(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder, with nothing of ours in its environment."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("TESTCARD", "OPENAI", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", "testcard", *options], cwd=folder, env={**usual, "COLUMNS": "200"}, capture_output=True,
        text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def load(folder: Path, *options: str, code: int = 0) -> tuple[LoadSummary, list[Record], str]:
    """One load: its summary, its records, what it printed. On a machine that is too busy nothing is certified."""
    done = cli(folder, "load", *options, "--out", "run")
    assert done.returncode in (code, 4), done.stdout + done.stderr
    jsonschema.validate(json.loads((folder / "run/summary.json").read_text()), schemas.json_schema("summary"))
    told = Summary.read(folder / "run").load
    assert told is not None
    assert done.returncode == code or told.validity != "ok"
    assert told.arrivals["planned"] == told.arrivals["sent"] + told.arrivals["dropped"]
    assert told.arrivals["sent"] == told.arrivals["answered"] + told.arrivals["lost"]
    assert told.arrivals["answered"] == sum(told.outcomes.values())
    return told, list(RunFile(folder / "run").records()), done.stdout


@dataclass
class Watched:
    """A server that sees when it is hung up on. Even arrivals are answered, odd ones only after a while."""

    base_url: str = ""
    hung_up: set[int] = field(default_factory=set)
    """Arrivals whose connection the client closed before they were answered."""
    prompts: list[str] = field(default_factory=list)
    cache: set[str | None] = field(default_factory=set)
    open: list[threading.Thread] = field(default_factory=list)


_PATIENCE_S = 2.0


def _answer(colour: int) -> bytes:
    data = io.BytesIO()
    picture = Image.effect_noise((64, 48), 50).convert("RGB")
    picture.putpixel((0, 0), (colour % 256, colour // 256, 1))
    picture.save(data, "PNG")
    body = json.dumps(
        {"created": int(time.time()), "data": [{"b64_json": base64.b64encode(data.getvalue()).decode()}]}
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _serve(connection: socket.socket, seen: Watched) -> None:
    with connection, connection.makefile("rb") as stream, suppress(OSError):
        while line := stream.readline():
            assert line.startswith(b"POST")
            headers = dict(text.decode().lower().rstrip().split(": ", 1) for text in iter(stream.readline, b"\r\n"))
            body = json.loads(stream.read(int(headers["content-length"])))
            match = re.search(r"variation (\d+)-", body["prompt"])
            assert match is not None
            index = int(match[1])
            seen.prompts.append(body["prompt"])
            seen.cache.add(headers.get("x-cache"))
            answer = _answer(index)
            if index % 2:
                # By turns: nothing at all, or the head and half of the body, and then silence.
                half = answer[: len(answer) // 2] if index % 4 == 3 else b""
                connection.sendall(half)
                ready, _, _ = select.select([connection], [], [], _PATIENCE_S)
                if ready and not connection.recv(1):
                    seen.hung_up.add(index)
                    return
                answer = answer[len(half) :]
            connection.sendall(answer)


@contextmanager
def watching() -> Iterator[Watched]:
    seen = Watched()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        seen.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=_serve, args=(connection, seen), daemon=True)
                    thread.start()
                    seen.open.append(thread)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in seen.open:
                one.join(_PATIENCE_S)


def _target_file(folder: Path, base_url: str, extra: str = "", **fields: Any) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"base_url": base_url, **fields}.items()]
    (folder / "target.toml").write_text("\n".join(["[target]", *lines, extra, ""]), encoding="utf-8")
    return "target.toml"


def test_a_new_prompt_hangs_up_on_the_one_in_flight(tmp_path: Path) -> None:
    """The server sees each connection close; the record says cancelled and accuses nobody; the next answer is whole."""
    (tmp_path / "fast.toml").write_text(PREVIEW, encoding="utf-8")
    with watching() as seen:
        target = _target_file(
            tmp_path, seen.base_url, '[target.headers]\nx-cache = "skip"', model="m", auth="none",
            sizes=[SIZE], default_size=SIZE, default_response_format="b64_json",
        )  # fmt: skip
        told, records, printed = load(tmp_path, "--target", target, "--scenario", "fast.toml")
    outcomes = {record.number - 1: record.outcome for record in records}
    assert outcomes == {index: "cancelled" if index % 2 and index < 7 else "valid" for index in range(8)}
    assert seen.hung_up == {1, 3, 5}
    cancelled = [record for record in records if record.outcome == "cancelled"]
    assert all(not r.broken and (r.failure or "").startswith("cancelled: a newer prompt") for r in cancelled)
    assert told.arrivals == {"planned": 5, "sent": 5, "dropped": 0, "answered": 5, "lost": 0}
    assert told.preview is not None
    assert (told.preview.prompts, told.preview.shown, told.preview.cancelled) == (8, 5, 3)
    # One of them had a 200 and half its body when it was cancelled: that is billed, as far as a client can see.
    assert (told.preview.wasted, told.preview.billed_unseen) == (3, 1)
    assert "generations asked for and never seen" in printed
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "Age of the picture on the screen" in page
    # No cache can answer: prompts are all different, and the target's header asks for none.
    assert len(set(seen.prompts)) == len(seen.prompts) == 8
    assert seen.cache == {"skip"}


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with running(MockSettings(latency_median_s=0.05, rpm=100_000)) as base_url:
        yield base_url


def test_clients_of_a_closed_loop_wait_and_are_labelled(tmp_path: Path, mock: str) -> None:
    """Never more under way than clients, a thought between an answer and the next request, and the label everywhere."""
    options = ["--scenario", "closed", "--clients", "3", "--think", "200ms", "--duration", "2s", "--warmup", "400ms"]
    options += ["--response-format", "b64_json", "--size", "512x512", "--processes", "2"]
    told, records, printed = load(tmp_path, "--target", "mock", "--base-url", mock, *options, "--slo", "p50<=20s")
    assert (told.loop, told.clients, told.think_s) == ("closed", 3, 0.2)
    by_client: dict[int, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.planned_s):
        by_client.setdefault((record.number - 1) % 3, []).append(record)
    assert sorted(by_client) == [0, 1, 2]
    for own in by_client.values():
        for earlier, later in itertools.pairwise(own):
            assert later.planned_s - (earlier.last_byte_s or 0) >= 0.2 - 1e-4
        assert len({record.worker for record in own}) == 1
    begin = min(record.planned_s for record in records)
    assert all((record.phase == "measured") is (record.stage == "closed") for record in records)
    assert {record.phase for record in records if record.planned_s > begin + 0.5} == {"measured"}
    (slo,) = told.slos
    assert (slo.id, slo.verdict) == ("p50<=20s in a closed loop", "kept" if told.validity == "ok" else "inconclusive")
    assert "not what independent clients meet" in slo.statement
    assert {claim.verdict for claim in told.claims} == {"inconclusive"}
    for text in (printed, (tmp_path / "run/summary.md").read_text(), (tmp_path / "run/report.html").read_text()):
        assert "closed loop of 3 clients" in text
        assert re.search("A closed loop(:|&#58;) each client waited", text)
        assert re.search("closed loop(:|&#58;) asked → last byte", text)
        assert "closed loop: planned" not in text


def test_stages_and_sizes_stand_apart(tmp_path: Path, mock: str) -> None:
    """A ramp with two sizes and two workers: counts as planned, bounds where the rate is held, and by size."""
    target = _target_file(tmp_path, mock, '[[slo]]\nquantile = 0.5\nbound_s = 20.0\nsize = "512x512"\n', extends="mock")
    options = ["--scenario", "ramp", "--rate", "20", "--duration", "3s", "--warmup", "500ms", "--processes", "2"]
    options += ["--size", "1024x1024=1,512x512=3", "--n", "1=1,2=1", "--response-format", "b64_json"]
    told, records, printed = load(tmp_path, "--target", target, *options, "--slo", "p50<=1ms", code=1)
    planned = json.loads(cli(tmp_path, "plan", "--target", target, *options, "--json").stdout)["load"]
    assert len(records) == planned["requests"]
    assert sum(record.images for record in records) == planned["images"]
    stages = {stage.name: stage for stage in told.stages}
    numbers = {stage["name"]: stage["requests"] for stage in planned["stages"]}
    # 2/s to 20/s in 1.8 s are 19.8, 20/s for 1.2 s are 24.
    assert {name: stage.arrivals["planned"] for name, stage in stages.items()} == {"ramp": 20, "hold": 24}
    assert numbers == {"warmup": 1, "ramp": 20, "hold": 24}
    assert {(r.stage, r.size): 0 for r in records}.keys() >= {(s, z) for s in stages for z in ("512x512", "1024x1024")}
    # Each of the four kinds has its share to one arrival: of 20, one eighth twice and three eighths twice.
    assert {size.size: size.arrivals["planned"] for size in told.by_size} == {"1024x1024": 12, "512x512": 32}
    assert told.size is None
    assert told.mix is not None
    by_id = {bound.id: bound for bound in told.slos}
    small, tight = by_id["p50<=20s at 512x512"], by_id["p50<=1ms"]
    # Of 24 arrivals while the rate is held, 18 ask for the small size.
    assert (small.stage, small.samples, small.misses) == ("hold", 18, 0)
    assert (tight.stage, tight.samples, tight.misses) == ("hold", 24, 24)
    if told.validity == "ok":
        assert (small.verdict, tight.verdict) == ("kept", "refuted")
    assert stages["ramp"].verdicts == {}
    assert stages["hold"].verdicts["p50<=1ms"] == tight.verdict
    for text in (printed.lower(), (tmp_path / "run/summary.md").read_text().lower()):
        assert "by stage" in text
        assert "by size" in text
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "By stage" in page
    assert "stage-mark" in page


@pytest.mark.parametrize("name", ["steady", "steps", "ramp", "spike", "soak", "closed", "preview"])
def test_every_scenario_says_beforehand_what_it_sends_and_asks_for_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`plan` has requests, images, money and seconds; off loopback a load needs a host, a budget and the limit."""
    assert name in scenarios()
    monkeypatch.chdir(tmp_path)
    planned = CliRunner().invoke(command, ["plan", "--target", "aigateway", "--scenario", name, "--json"])
    told = json.loads(planned.stdout)["load"]
    assert told["requests"] == sum(stage["requests"] for stage in told["stages"]) > 50
    assert told["images"] == sum(stage["images"] for stage in told["stages"]) == told["requests"]
    assert told["usd"] == pytest.approx(told["images"] * 0.0012)
    assert told["seconds"] > 30
    assert "keeps the key's limit" in told["limit"]
    # A name that never resolves (RFC 6761): nothing could be sent if it were not refused.
    target = _target_file(tmp_path, "https://nobody.invalid/v1", "[target.limit]\nrequests = 5\n", extends="aigateway")
    asked = ["load", "--target", target, "--scenario", name]
    host = ["--confirm-host", "nobody.invalid"]
    for more, sentence in (
        ([], "needs --confirm-host nobody.invalid"),
        (host, f"needs --budget-images or --budget-usd; this plan asks for {told['images']}"),
        ([*host, "--budget-images", "9"], "exceeds the declared limit of 5 requests"),
    ):
        refused = CliRunner().invoke(command, [*asked, *more])
        assert isinstance(refused.exception, UsageError)
        assert sentence in str(refused.exception)
    assert not (tmp_path / "runs").exists()
