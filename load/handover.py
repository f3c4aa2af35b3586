"""How a worker hands its exchanges to the process that judges them: frames on a pipe."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from typing import BinaryIO

from testcard.core.exchange import Exchange
from testcard.load.plan import Arrival

_LENGTH = struct.Struct("!Q")
END = _LENGTH.pack(0)
"""Follows the last frame; without it the worker was cut off."""


def frame(arrival: Arrival, exchange: Exchange) -> bytes:
    """One exchange on its way, with all of its bytes."""
    data = pickle.dumps((arrival, exchange), protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


def messages(stream: BinaryIO) -> Iterator[tuple[Arrival, Exchange] | None]:
    """The exchanges of a worker with their arrivals; at the end None, if the worker said that it was done."""
    while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        if length == 0:
            yield None
            return
        data = stream.read(length)
        if len(data) < length:
            return
        yield pickle.loads(data)  # noqa: S301 (written by frame() in a process of ours)
