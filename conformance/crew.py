"""The threads of a check: a few that ask side by side, and one for each thing that takes long.

All are daemons: Ctrl-C waits for no answer. What goes wrong in one is raised where its end is waited for.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping

_SIDE_BY_SIDE = 4


class Crew:
    """Works by name, each with an end that can be waited for."""

    def __init__(self) -> None:
        self._done: dict[str, threading.Event] = {}
        self._crash: BaseException | None = None
        self.left = False
        """Whether nobody waits any more."""

    def begin(self, name: str, work: Callable[[], None]) -> None:
        """Do something in a thread of its own."""
        self._done[name] = threading.Event()
        threading.Thread(target=self._carry_out, args=(name, work), name=name, daemon=True).start()

    def side_by_side(self, works: Mapping[str, Callable[[], None]]) -> None:
        """Do these in their order, a few at a time."""
        waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in works:
            self._done[name] = threading.Event()
            waiting.put(name)

        def take() -> None:
            while True:
                try:
                    name = waiting.get_nowait()
                except queue.Empty:
                    return
                self._carry_out(name, works[name])

        for number in range(_SIDE_BY_SIDE):
            threading.Thread(target=take, name=f"ask-{number}", daemon=True).start()

    def _carry_out(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (carried to whoever waits)
            self._crash = self._crash or error
        finally:
            self._done[name].set()

    @property
    def under_way(self) -> tuple[str, ...]:
        """Everything that there is to wait for so far."""
        return tuple(self._done)

    def wait_for(self, name: str) -> None:
        """Return when it is done, or when nobody waits any more; at once where it was never begun.

        Raises:
            BaseException: whatever went wrong in any thread; an error of ours.
        """
        while name in self._done and not self._done[name].wait(0.1):
            if self.left:
                return
        if self._crash is not None:
            raise self._crash

    def leave(self) -> None:
        """Wait for nothing any more."""
        self.left = True
