"""Memory that a worker and its judging process share: an answer is received into it and judged from it.

Handing a megabyte over a pipe copies it four times, on the worker's side of the clock. Here the kernel copies it
once, to where the judging process finds it. The worker leases places; the judging process says how many of them it
is done with, in the order in which they were handed over, by one number in front of the first.

Only Linux has memory files (memfd_create(2)); elsewhere nothing is ever leased, and answers go through the pipe.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from typing import NamedTuple

SMALLEST = 256 * 1024
"""A shorter answer is not worth a place of its own, bytes."""
LARGEST = 16 * 1024 * 1024
_SIZE = 256 * 1024 * 1024
_FIRST = mmap.PAGESIZE


class Lease(NamedTuple):
    """A place for one answer."""

    start: int
    capacity: int


class Arena:
    """The worker's side.

    Args:
        size: of the memory, bytes; pages that no answer ever needed are never made.
    """

    def __init__(self, size: int = _SIZE) -> None:
        self.descriptor: int | None = None
        self._end = _FIRST
        self._size = 0
        self._free: dict[int, list[Lease]] = {}
        self._handed: deque[Lease] = deque()
        self._returned = 0
        if hasattr(os, "memfd_create"):
            self.descriptor = os.memfd_create("testcard-answers")
            os.ftruncate(self.descriptor, size)
            self._size = size
            self._view = memoryview(mmap.mmap(self.descriptor, size))

    def take(self, length: int) -> Lease | None:
        """A place for so many bytes, or None where there is none."""
        if not SMALLEST <= length <= LARGEST:
            return None
        self._reclaim()
        capacity = 1 << (length - 1).bit_length()
        if places := self._free.get(capacity):
            return places.pop()
        if self._end + capacity > self._size:
            return None
        lease = Lease(self._end, capacity)
        self._end += capacity
        return lease

    def view(self, lease: Lease) -> memoryview:
        """The bytes of a place."""
        return self._view[lease.start : lease.start + lease.capacity]

    def give_back(self, lease: Lease) -> None:
        """End a lease that was not handed over."""
        self._free.setdefault(lease.capacity, []).append(lease)

    def hand_over(self, lease: Lease) -> None:
        """Note that the judging process gets this place next."""
        self._handed.append(lease)

    def _reclaim(self) -> None:
        done = int.from_bytes(self._view[:8], "little") if self._size else 0
        while self._returned < done:
            self.give_back(self._handed.popleft())
            self._returned += 1


class Reading:
    """The judging process's side of an arena.

    Args:
        descriptor: of the worker's arena, inherited; None: it has none.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._returned = 0
        if descriptor is not None:
            self._view = memoryview(mmap.mmap(descriptor, 0))
            os.close(descriptor)

    def take(self, start: int, length: int) -> bytes:
        """The answer at a place; the place is the worker's again."""
        data = bytes(self._view[start : start + length])
        self._returned += 1
        self._view[:8] = self._returned.to_bytes(8, "little")
        return data
