"""Wakes a greenlet at absolute times, to about a tenth of a millisecond.

The event loop's own timers are whole milliseconds (epoll's), which would stand in every latency. A thread that does
nothing but sleep is that much better. Only locustfile.py and what only it imports may import this.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent
from gevent.event import Event
from gevent.monkey import get_original

_sleep = get_original("time", "sleep")
_LONGEST_S = 0.25  # so that the thread notices a stop


class Alarm:
    """Rings at each of a sequence of times.

    Args:
        times: ascending, absolute, of `time.monotonic()`.
        stopped: ends all waiting.
    """

    def __init__(self, times: Sequence[float], stopped: Event) -> None:
        self._times = times
        self._stopped = stopped
        self._rung = Event()
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._rung.set)
        stopped.rawlink(lambda _: self._rung.set())
        self._thread = gevent.get_hub().threadpool.spawn(self._ring)

    def wait_until(self, due: float) -> bool:
        """Wait for one of the times; returns True if it was stopped."""
        while time.monotonic() < due and not self._stopped.is_set():
            self._rung.wait()
            self._rung.clear()
        return bool(self._stopped.is_set())

    def close(self) -> None:
        """Let go of the thread, once all times are past or it was stopped."""
        self._thread.wait()
        self._watcher.close()

    def _ring(self) -> None:
        for moment in self._times:
            while (left := moment - time.monotonic()) > 0:
                if self._stopped.is_set():
                    return
                _sleep(min(left, _LONGEST_S))
            self._watcher.send()
