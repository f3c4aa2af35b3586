"""The request of each arrival: a prompt that no cache has seen, from the seed alone."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from testcard.core.exchange import Request
from testcard.load.mix import Kind
from testcard.load.plan import Arrival, LoadPlan

_SUBJECTS = (
    "a lighthouse in fog", "a bowl of lemons", "a tram in the rain", "a desk by a window", "an owl at dusk",
    "a red bicycle", "a harbour at low tide", "a paper boat", "a greenhouse in winter", "a stack of books",
    "a mountain hut", "a market stall", "a sleeping cat", "a field of barley", "an empty theatre", "a glass of tea",
)  # fmt: skip
_MANNERS = (
    "as an ink drawing", "in soft light", "as a poster", "seen from above", "in muted colours", "as a woodcut",
    "in the style of a postcard", "as a watercolour",
)  # fmt: skip


@lru_cache(maxsize=256)
def _around(model: str | None, kind: Kind) -> tuple[str, str]:
    """A body's text in front of its prompt, and behind it."""
    fields = {"model": model, "prompt": "", "n": kind.n, "size": kind.size, "response_format": kind.response_format}
    text = json.dumps({name: value for name, value in fields.items() if value is not None})
    before, _, after = text.partition('"prompt": ""')
    return f'{before}"prompt": "', f'"{after}'


def case_of(scenario: str, index: int, stage: str, client: int | None, attempt: int) -> str:
    """What an arrival is, in a few words."""
    if client is not None:
        return f"load {scenario}, {stage} client {client + 1}, attempt {attempt}"
    return f"load {scenario}, arrival {index + 1}"


def request_of(plan: LoadPlan, arrival: Arrival) -> Request:
    """The request of one arrival."""
    case = case_of(plan.scenario, arrival.index, arrival.stage, arrival.client, arrival.attempt)
    return Request(case, body=body_of(plan, arrival), images=arrival.kind.n, key=plan.key)


def body_of(plan: LoadPlan, arrival: Arrival) -> bytes:
    """The body of its request. No two arrivals of a run, nor runs of different seeds, share a prompt;
    but who asks again asks for the same."""
    digest = hashlib.sha256(f"{plan.seed} {plan.scenario} {arrival.first_index}".encode()).digest()
    subject, manner = _SUBJECTS[digest[0] % len(_SUBJECTS)], _MANNERS[digest[1] % len(_MANNERS)]
    before, after = _around(plan.model, arrival.kind)
    prompt = f"{subject} {manner}, variation {arrival.first_index}-{digest[2:8].hex()}"  # nothing that JSON escapes
    return f"{before}{prompt}{after}".encode()
