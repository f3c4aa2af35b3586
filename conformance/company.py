"""Requests under way side by side, and one that is to have nobody beside it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Company:
    """Lets any number of requests be under way together, or a single one alone."""

    def __init__(self, left: Callable[[], bool]) -> None:
        """Args: left: whether nobody waits any more."""
        self._left = left
        self._changed = threading.Condition()
        self._under_way = 0
        self._taken = False

    @contextlib.contextmanager
    def among_others(self) -> Iterator[None]:
        """Under way as soon as nobody is, or is about to be, alone."""
        with self._changed:
            self._wait(lambda: not self._taken)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Under way when all others have been answered; they wait meanwhile."""
        with self._changed:
            self._wait(lambda: not self._taken)
            self._taken = True
            self._wait(lambda: self._under_way == 0)
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()

    def _wait(self, until: Callable[[], bool]) -> None:
        while not until() and not self._left():
            self._changed.wait(0.1)
