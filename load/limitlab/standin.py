"""What comes where a 429 belongs: a limiter that refuses with something else is seen by when it does so.

Rule 1: where a 429 came, nothing else stands in for it; whatever fails beside it is another matter.
Rule 2: that an answer stands in for the 429 is a guess until a limiter explains when it came (`explains`): servers
fail for many reasons, and only a limiter fails by the number of requests in a window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from testcard.core.record import Record
from testcard.load.limitlab.plan import IDENTIFY, KEEP
from testcard.load.ratelimit import CONCURRENCY, UNEXPLAINED, UNLIMITED, Fitted

LIMITED = "limited"
_TWICE = 2
_ENOUGH = 4
"""As often an answer comes before a limiter that explains it is held against the server."""
_BODIES = (400, 404, 405, 413, 415, 422)
"""What a body that is wrong is answered with, rightly or not: none of them stands in for a 429."""
_SENT = ("closed", "framing", "timeout")
"""Failures of a request that had reached the server."""


def answer(record: Record) -> str:
    """What a request was answered with, in a few words."""
    if record.failure is not None or record.status is None:
        return {"timeout": "no answer in time", "connect": "no connection", "tls": "no connection"}.get(
            (record.failure or "").partition(":")[0], "a closed connection"
        )
    if 200 <= record.status < 300:
        return f"a {record.status}" if record.outcome == "valid" else f"a {record.status} without its pictures"
    return f"a {record.status}"


def stand_in(records: Sequence[Record], requests: int) -> str | None:
    """The answer that may stand in for the 429: one that is not what such requests were answered with at first.

    Args:
        records: of an investigation, in the order of sending.
        requests: the declared limit.
    """
    own = [record for record in records if record.stage in (IDENTIFY, KEEP)]
    if any(record.outcome == LIMITED for record in own):
        return None
    strange: Counter[str] = Counter()
    for alike in ([one for one in own if one.violates], [one for one in own if not one.violates]):
        usual = {answer(record) for record in alike[: max(1, requests // 2)]}
        strange.update(answer(record) for record in alike if _eligible(record) and answer(record) not in usual)
    name, count = strange.most_common(1)[0] if strange else ("", 0)
    return name if count >= _TWICE else None


def _eligible(record: Record) -> bool:
    if record.failure is not None:
        return record.failure.startswith(_SENT)
    return record.outcome not in ("valid", LIMITED) and record.status not in _BODIES


def as_refusals(records: Sequence[Record], name: str | None) -> list[Record]:
    """The same records, those with that answer as refusals for the limit."""
    if name is None:
        return list(records)
    return [replace(one, outcome=LIMITED) if answer(one) == name else one for one in records]


def explains(fitted: Fitted, records: Sequence[Record]) -> bool:
    """Whether a limiter explains when the refusals came, and that they passed over.

    Args:
        records: with what stands in for the 429 as refusals.
    """
    if {fitted.kind, *fitted.alternatives} & {UNLIMITED, UNEXPLAINED, CONCURRENCY}:
        return False
    own = [record for record in records if record.stage in (IDENTIFY, KEEP)]
    return sum(record.outcome == LIMITED for record in own) >= _ENOUGH and any(_recoveries(own))


def _recoveries(records: Sequence[Record]) -> Iterator[bool]:
    """Whether each request that passed had been preceded by a refusal."""
    first = next((record.sent_s for record in records if record.outcome == LIMITED), None)
    for record in records:
        yield (first is not None and record.outcome in ("valid", "invalid", "refused") and record.planned_s > first)
