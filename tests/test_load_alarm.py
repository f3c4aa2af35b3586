"""The alarm that wakes arrivals: by timer files on Linux, by a sleeping thread elsewhere (macOS)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CODE = """
import json, sys, time
import gevent
from gevent.event import Event
from testcard.load.worker.alarm import Alarm
sys.platform = sys.argv[1]
stopped, begin = Event(), time.monotonic() + 0.05
times = [begin + offset for offset in (0.0, 0.02, 0.02, 0.05, 60.0, 61.0)]
alarm = Alarm(times, stopped)
rang = []
for due in times[:4]:
    rang.append((alarm.wait_until(due), time.monotonic() - due))
gevent.spawn_later(0.05, stopped.set)
ended = alarm.wait_until(times[4])
alarm.close()
print(json.dumps({"rang": rang, "ended": ended, "left": times[4] - time.monotonic()}))
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_alarm_rings_at_each_time_and_ends_when_stopped(platform: str) -> None:
    """Never before a time is come, once for each, also for two at once; a stop ends a long wait, and close returns."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, platform], capture_output=True, text=True, timeout=60, check=True
    )
    told = json.loads(done.stdout)
    assert [stopped for stopped, _ in told["rang"]] == [False] * 4
    assert all(late >= 0 for _, late in told["rang"])
    assert told["ended"] is True
    assert told["left"] > 1
