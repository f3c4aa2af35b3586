"""Faults that show only when requests are under way together.

Every answer with pictures is held for a moment, so that two that were asked for at once meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.message import Answer, Call

_MOMENT_S = 0.1

Meeting = Callable[[Answer, Answer], Answer]


def _meeting(first: Meeting, second: Meeting) -> Callable[[Answer, Call], Awaitable[Answer]]:
    """Change two answers with pictures that meet: what the first becomes, and the second, each given the other."""

    async def hold(answer: Answer, call: Call) -> Answer:
        if answer.order is None:
            return answer
        waiting = call.memory.pop("waiting", None)
        if waiting is not None:
            there, met = waiting
            met.set_result(answer)
            return second(answer, there)
        met = asyncio.get_running_loop().create_future()
        call.memory["waiting"] = (answer, met)
        done, _ = await asyncio.wait([met], timeout=_MOMENT_S)
        if not done:
            call.memory.pop("waiting")
            return answer
        return first(answer, met.result())

    return hold


def _kept(answer: Answer, _: Answer) -> Answer:
    return answer


def _others(answer: Answer, other: Answer) -> Answer:
    return replace(answer, document=other.document)


def _error(answer: Answer, _: Answer) -> Answer:
    error = {"message": "Something went wrong.", "type": "server_error"}
    return replace(answer, status=500, document={"error": error}, order=None)


def _drop(answer: Answer, _: Answer) -> Answer:
    return replace(answer, framing="dropped", order=None)


FAULTS = (
    Fault(
        name="answers-crossed",
        breaks=("concurrency.own-picture",),
        describe="Two generations that are under way together get each other's answers.",
        hold=_meeting(_others, _others),
    ),
    Fault(
        name="answers-doubled",
        breaks=("concurrency.own-picture",),
        describe="Of two generations that are under way together, the second gets the first one's answer as well.",
        hold=_meeting(_kept, _others),
    ),
    Fault(
        name="errors-in-company",
        breaks=("concurrency.no-server-error",),
        describe="Two generations that are under way together are answered with 500.",
        hold=_meeting(_error, _error),
    ),
    Fault(
        name="drops-in-company",
        breaks=("concurrency.answered",),
        describe="Two generations that are under way together find their connections closed.",
        hold=_meeting(_drop, _drop),
    ),
)
