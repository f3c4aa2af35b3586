"""How a worker hands its exchanges to the process that judges them: frames on a pipe, long bodies in the arena.

A frame is marshalled, not pickled: the fields of known classes in their order cost a tenth of what objects do, and
both ends are the same interpreter.
"""

from __future__ import annotations

import dataclasses
import marshal
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from operator import attrgetter
from typing import Any, NamedTuple

from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.load.arena import Lease, Reading
from testcard.load.plan import Arrival

_LENGTH = struct.Struct("!Q")
_BLOCK = 256 * 1024
END = _LENGTH.pack(0)
"""Follows the last frame; without it the worker was cut off."""


def _names(kind: type, *, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if field.name not in without)


_OF_REQUEST = _names(Request, without=("violations",))  # a load breaks no contract
_OF_EXCHANGE = _names(Exchange, without=("request", "response", "failure", "media"))
_REQUEST: Callable[..., Request] = Request
_EXCHANGE: Callable[..., Exchange] = Exchange
"""Called by position, which takes half as long as by name."""
_VIOLATIONS = list(Request.__dataclass_fields__).index("violations")
_ANSWER = list(Exchange.__dataclass_fields__).index("response") - 1  # the request is not among the values
_request = attrgetter(*_OF_REQUEST)
_exchange = attrgetter(*_OF_EXCHANGE)


class Planned(NamedTuple):
    """What its record says of the arrival in the plan."""

    phase: str
    stage: str
    size: str | None
    client: int | None = None
    attempt: int = 1

    @classmethod
    def of(cls, arrival: Arrival) -> Planned:
        return cls(arrival.phase, arrival.stage, arrival.kind.size, arrival.client, arrival.attempt)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One finished arrival on its way to be judged."""

    planned: Planned
    exchange: Exchange
    places: tuple[tuple[Lease, int] | None, ...]
    """Where the bodies of the answer and of each picture lie, and how long they are; None: in the exchange itself."""


def frame(delivery: Delivery) -> bytes:
    """A delivery on its way; what is in the arena stays there."""
    places = [None if place is None else (place[0].start, place[1]) for place in delivery.places]
    data = marshal.dumps((tuple(delivery.planned), _flat(delivery.exchange), places))
    return _LENGTH.pack(len(data)) + data


def messages(
    stream: BufferedIOBase, arena: Reading, idle: Callable[[], None] = lambda: None
) -> Iterator[tuple[Planned, Exchange] | None]:
    """The exchanges of a worker, and what was planned; at the end None, if the worker said that it was done.

    Args:
        idle: called each time that there is nothing left to take, before waiting for more.
    """
    for data in _frames(stream, idle):
        if not data:
            yield None
            return
        planned, flat, places = marshal.loads(data)  # noqa: S302 (written by frame() in a process of ours)
        bodies = (None if place is None else arena.take(*place) for place in places)
        yield Planned(*planned), _whole(flat, bodies)


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


def _flat(exchange: Exchange) -> tuple[Any, ...]:
    response, failure = exchange.response, exchange.failure
    return (
        _request(exchange.request),
        _exchange(exchange),
        None if response is None else (response.status, response.headers, response.body),
        None if failure is None else (failure.kind, failure.message),
        [_flat(fetch) for fetch in exchange.media],
    )


def _whole(flat: tuple[Any, ...], bodies: Iterator[bytes | None]) -> Exchange:
    request, values, answer, failure, media = flat
    body = next(bodies)
    if answer is not None and body is not None:
        answer = (*answer[:2], body)
    return _EXCHANGE(
        _REQUEST(*request[:_VIOLATIONS], (), *request[_VIOLATIONS:]),
        *values[:_ANSWER],
        None if answer is None else Response(*answer),
        None if failure is None else Failure(*failure),
        tuple([_whole(fetch, bodies) for fetch in media]),
        *values[_ANSWER:],
    )
