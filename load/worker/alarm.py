"""Wakes a greenlet at absolute times, to about a tenth of a millisecond.

The event loop's own timers are whole milliseconds (epoll's), which would stand in every latency. Linux has timers
that are files (timerfd_create(2)) and as exact as the clock; elsewhere a thread does nothing but sleep, for five
times the CPU time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event
from gevent.hub import Waiter
from gevent.monkey import get_original

_sleep = get_original("time", "sleep")
_MOST_AT_ONCE = 8
_LONGEST_S = 0.25  # so that the thread notices a stop
# time.h and sys/timerfd.h of Linux; Python has names for them from 3.13 on.
_CLOCK_MONOTONIC, _ABSOLUTE, _CLOSE_ON_EXEC, _NONBLOCKING = 1, 1, 0o2000000, 0o4000
_READ = 1


class Alarm:
    """Rings at each of a sequence of times.

    Args:
        times: ascending, absolute, of `time.monotonic()`.
        stopped: ends all waiting.
    """

    def __init__(self, times: Sequence[float], stopped: Event) -> None:
        self._stopped = stopped
        self._waiter = Waiter()
        self._passed = 0
        self._clock: _TimerFile | _Thread
        if sys.platform == "linux":
            self._clock = _TimerFile(self._ring)
        else:
            self._clock = _Thread(times, stopped, self._ring)
        stopped.rawlink(self._stop)

    def wait_until(self, due: float) -> bool:
        """Wait for one of the times; returns True if it was stopped.

        Whoever is behind does not wait, but lets the event loop look after the answers every now and then: their
        stamps must not wait until all that is overdue has been sent.
        """
        self._passed += 1
        while (time.monotonic() < due or self._passed > _MOST_AT_ONCE) and not self._stopped.is_set():
            self._clock.set(due)
            self._waiter.get()
            self._waiter.clear()
            self._passed = 0
        return bool(self._stopped.is_set())

    def close(self) -> None:
        """Let go of the clock, once all times are past or it was stopped."""
        self._stopped.unlink(self._stop)
        self._clock.close()

    def _stop(self, _: Event) -> None:
        self._ring()

    def _ring(self) -> None:
        self._waiter.switch(None)


class _TimerFile:
    """A file that can be read when its time is come."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._system = ctypes.CDLL(None, use_errno=True)
        self._file: int = self._system.timerfd_create(_CLOCK_MONOTONIC, _CLOSE_ON_EXEC | _NONBLOCKING)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "the system gives no timer")
        self._time = (ctypes.c_long * 4)()  # struct itimerspec: no interval, seconds, nanoseconds
        self._watcher = gevent.get_hub().loop.io(self._file, _READ)
        self._watcher.start(ring)  # nobody reads it: it rings until it is set to the next time, or closed

    def set(self, due: float) -> None:
        seconds = int(due)
        self._time[2], self._time[3] = seconds, max(1, int((due - seconds) * 1e9))  # all zero would switch it off
        self._system.timerfd_settime(self._file, _ABSOLUTE, self._time, None)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._file)


class _Thread:
    """A thread that sleeps from each time to the next."""

    def __init__(self, times: Sequence[float], stopped: Event, ring: Callable[[], None]) -> None:
        self._times = times
        self._stopped = stopped
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(ring)
        self._thread = gevent.get_hub().threadpool.spawn(self._sleep)

    def set(self, due: float) -> None:
        """It knows all times, and has rung for those that are past."""
        if due <= time.monotonic():
            self._watcher.send()

    def close(self) -> None:
        self._thread.wait()
        self._watcher.close()

    def _sleep(self) -> None:
        for moment in self._times:
            while (left := moment - time.monotonic()) > 0:
                if self._stopped.is_set():
                    return
                _sleep(min(left, _LONGEST_S))
            self._watcher.send()
