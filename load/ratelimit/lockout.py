"""Limiters that hold it against a client that it asks again too soon."""

from __future__ import annotations

import numpy as np

from testcard.load.ratelimit.observation import Floats, Ints, Past


def lockout(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A sliding log; whoever exceeds it is shut out for a time.

    Columns: limit, window, seconds shut out, whether what passed before is forgotten then, whether each refused
    request begins that time anew.
    """
    limit, window, ban, forgets, refused = sets.T
    until = np.full(len(sets), -np.inf)
    ends = [until]
    for wave, moment in enumerate(past.times):
        begins = (past.refused_in(wave) > 0) & ((moment >= until) | (refused > 0))
        until = np.where(begins, moment + ban, until)
        ends.append(until)
    end = np.stack(ends, axis=1)[:, before]
    since = at - window[:, None]
    since = np.where(forgets[:, None] > 0, np.maximum(since, end), since)
    room: Floats = np.where(at < end, 0.0, limit[:, None] - past.since(since, before))
    return room


def idle_window(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A count that is forgotten only after a whole window without requests: each renews it.

    Redis' INCR and EXPIRE, both with every request. Columns: limit, window, whether refused requests renew it too.
    """
    limit, window, refused = sets.T
    last, used = np.full(len(sets), -np.inf), np.zeros(len(sets))
    lasts, counts = [last], [used]
    for wave, moment in enumerate(past.times):
        passed = past.passed_in(wave)
        used = np.where(moment >= last + window, 0.0, used) + passed
        last = np.where((passed > 0) | (refused > 0), moment, last)
        lasts.append(last)
        counts.append(used)
    idle = at >= np.stack(lasts, axis=1)[:, before] + window[:, None]
    return limit[:, None] - np.where(idle, 0.0, np.stack(counts, axis=1)[:, before])
