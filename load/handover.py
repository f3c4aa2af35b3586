"""How a worker hands what came of its arrivals to the process that judges them: frames on a pipe, long bodies in the
arena.

A frame is marshalled, not pickled: plain values in their order cost a tenth of what objects do, and both ends are the
same interpreter.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from typing import Any, NamedTuple

from testcard.core.exchange import Failure
from testcard.load.arena import Lease, Reading
from testcard.load.plan import Arrival
from testcard.load.reply import Fetched, Reply

_LENGTH = struct.Struct("!Q")
_BLOCK = 256 * 1024
END = _LENGTH.pack(0)
"""Follows the last frame; without it the worker was cut off."""
_VERSION = 2  # of marshal: later ones look for values that are shared, and find none
_Flat = tuple[Any, ...]


class Planned(NamedTuple):
    """What its record says of the arrival in the plan."""

    phase: str
    stage: str
    size: str | None
    client: int | None = None
    attempt: int = 1
    n: int = 1

    @classmethod
    def of(cls, arrival: Arrival) -> Planned:
        kind = arrival.kind
        return cls(arrival.phase, arrival.stage, kind.size, arrival.client, arrival.attempt, kind.n)


class Delivery(NamedTuple):
    """One finished arrival on its way to be judged."""

    arrival: int
    """Its index in the plan."""
    planned: Planned
    due: float
    """On the monotonic clock."""
    began_at: float
    """When it was sent and, next, when it was over, on the wall clock."""
    received_at: float
    request_id: str
    body: bytes
    """Of the request."""
    reply: Reply
    fetched: tuple[Fetched, ...] = ()


def frame(delivery: Delivery) -> bytes:
    """A delivery on its way; what is in the arena stays there."""
    pictures = [(*picture[:-1], _flat(picture.reply)) for picture in delivery.fetched]
    flat = (delivery.arrival, tuple(delivery.planned), *delivery[2:-2], _flat(delivery.reply), pictures)
    data = marshal.dumps(flat, _VERSION)
    return _LENGTH.pack(len(data)) + data


def deliveries(
    stream: BufferedIOBase, arena: Reading, idle: Callable[[], None] = lambda: None
) -> Iterator[Delivery | None]:
    """What a worker hands over; at the end None, if the worker said that it was done.

    Args:
        idle: called each time that there is nothing left to take, before waiting for more.
    """
    for data in _frames(stream, idle):
        if not data:
            yield None
            return
        arrival, planned, *values, answer, pictures = marshal.loads(data)  # noqa: S302 (written by frame() in a process of ours)
        reply = _whole(answer, arena)  # before its pictures: places are given back in their order
        fetched = tuple([Fetched._make((*picture[:-1], _whole(picture[-1], arena))) for picture in pictures])
        yield Delivery._make((arrival, Planned._make(planned), *values, reply, fetched))


def _frames(stream: BufferedIOBase, idle: Callable[[], None]) -> Iterator[bytes]:
    """What was framed, as often as possible several for one call of the system. A part of a frame is none."""
    data, missing = b"", 0
    while True:
        idle()
        more = stream.read(missing) if missing > _BLOCK else stream.read1(_BLOCK)
        if not more:
            return
        data += more
        begin = 0
        while len(data) >= begin + _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, begin)
            end = begin + _LENGTH.size + length
            missing = end - len(data)
            if missing > 0:
                break
            yield data[begin + _LENGTH.size : end]
            begin = end
        data = data[begin:]


def _flat(reply: Reply) -> _Flat:
    failure, lease = reply.failure, reply.lease
    if failure is None and lease is None:  # as nearly always
        return tuple(reply)
    told = None if failure is None else (failure.kind, failure.message)
    return (*reply[:-3], told, None if lease is None else tuple(lease), reply.size_bytes)


def _whole(flat: _Flat, arena: Reading) -> Reply:
    *values, body, failure, lease, size_bytes = flat
    if lease is not None:
        body = arena.take(Lease._make(lease).start, size_bytes)
    return Reply._make((*values, body, None if failure is None else Failure(*failure), None, size_bytes))
