"""The catalogue of faults against what a load remembers: whatever a server does wrong, each record says it."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from pathlib import Path

import pytest

from testcard.core.exchange import Exchange, Request, Response
from testcard.core.targetfile import profile_target
from testcard.load import plan_load
from testcard.load.brief import Brief
from testcard.load.handover import Planned
from testcard.load.judging import Recorder
from testcard.mock_server import FAULTS, MockSettings
from testcard.mock_server.gateway import Gateway
from testcard.mock_server.message import GENERATIONS

TARGET = replace(profile_target("mock"), base_url="http://127.0.0.1:1/v1", public_keys={})
BEGAN = time.time()
DATE = formatdate(BEGAN, usegmt=True)
PLANNED = Planned("measured", "", "512x512")
_AREAS = sorted({fault.breaks[0].partition(".")[0] for fault in FAULTS.values() if fault.shown is None})


async def _answered(gateway: Gateway, number: int, n: int) -> Exchange:
    """A request, and what this server answers."""
    request_id = f"6f9619ff-8b86-4011-b42d-{number:012x}"
    fields = {"model": TARGET.model, "prompt": f"a lighthouse, variation {number}", "n": n, "size": "512x512",
              "response_format": "b64_json"}  # fmt: skip
    body = json.dumps(fields).encode()
    headers = {"content-type": "application/json", "host": "127.0.0.1:1", "x-request-id": request_id,
               "authorization": "Bearer sk-aig-mock-funded"}  # fmt: skip
    answer = await gateway.answer(gateway.call("POST", GENERATIONS, headers, body, "http://127.0.0.1:1", ""))
    lines = (("Content-Type", answer.media_type or ""), ("Content-Length", "1"), ("Date", DATE), *answer.headers)
    return Exchange(
        Request(f"load steady, arrival {number}", body=body, images=n), number, f"http://127.0.0.1:1{GENERATIONS}",
        request_id, (("Accept-Encoding", "identity"), ("X-Request-Id", request_id)), "2026-01-01T00:00:00.000Z",
        0.1, 0.2, 0.3, 0.4, Response(answer.status, lines, answer.body), received_at=BEGAN,
    )  # fmt: skip


@cache
def _good(dialect: str) -> tuple[Exchange, ...]:
    gateway = Gateway(MockSettings(dialect=dialect))
    return tuple(asyncio.run(_answered(gateway, number, n)) for number, n in ((1, 1), (2, 1), (3, 2), (4, 1), (5, 2)))


@pytest.mark.parametrize("area", _AREAS)
def test_no_fault_hides_behind_a_good_answer(area: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of a load are the same whether or not what was concluded from one answer is held of others."""
    monkeypatch.setenv("TESTCARD_API_KEY", "sk-alike-0123456789")
    known = 0
    for fault in FAULTS.values():
        if fault.shown is not None or fault.breaks[0].partition(".")[0] != area:
            continue
        target = replace(TARGET, dialect=fault.dialect)
        brief = Brief(plan_load(target, rate_per_s=10.0, duration_s=1.0, warmup_s=0.0), target, Path(), 0.0, 0)
        remembering, forgetting = Recorder(brief, 0, 10**9), Recorder(brief, 0, 10**9)
        monkeypatch.setattr(forgetting._alike, "line", lambda *_: None)
        gateway = Gateway(MockSettings(faults=(fault.name,), dialect=fault.dialect))
        faulty = [asyncio.run(_answered(gateway, number, n)) for number, n in ((6, 1), (7, 2))]
        good = _good(fault.dialect)
        for exchange in (*good[:3], *faulty, *good[3:]):
            assert remembering.line(PLANNED, exchange) == forgetting.line(PLANNED, exchange), fault.name
        known += len(remembering._alike._known)
    assert known, "nothing was remembered, and so nothing tried"
