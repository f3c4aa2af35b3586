"""How many generations run at once, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from testcard.mock_server.refusal import Refusal


class Capacity:
    """Places for generations, given in the order of asking.

    Args:
        places: how many run at once; None: any number.
        queue: how many more may wait; None: any number.
    """

    def __init__(self, places: int | None, queue: int | None) -> None:
        self._free = asyncio.Semaphore(places) if places is not None else None
        self._queue = queue
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place.

        Raises:
            Refusal: 503, all places are taken and the queue is full.
        """
        if self._free is None:
            yield
            return
        if self._free.locked() and self._queue is not None and self._waiting >= self._queue:
            raise Refusal(503, "All places are taken; try again soon.", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
