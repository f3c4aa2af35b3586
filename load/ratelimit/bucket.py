"""Limiters that hold tokens, and the one that counts what is under way."""

from __future__ import annotations

import numpy as np

from testcard.load.ratelimit.observation import Floats, Ints, Past
from testcard.load.ratelimit.window import began


def bucket(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A bucket of `burst` tokens that fills evenly, `limit` in a window.

    Columns: burst, seconds a token, what a refused request costs (nothing, what is left, a token that is owed). The
    token bucket and GCRA (ITU-T I.371, generic cell rate algorithm) are the same from outside.
    """
    burst, gap, refused = sets.T
    level, since = burst.copy(), -np.inf
    levels, moments = [level], [since]
    for wave, moment in enumerate(past.times):
        grown = np.minimum(burst, level + (moment - since) / gap)
        level = np.maximum(grown - past.passed_in(wave), np.minimum(grown, 0.0))  # what is owed stays owed
        turned = past.refused_in(wave)
        if turned.any():
            level = np.where((refused > 0) & (turned > 0), np.where(refused > 1, level - turned, 0.0), level)
        since = moment
        levels.append(level)
        moments.append(since)
    held = np.stack(levels, axis=1)[:, before]
    waited = at - np.array(moments)[before]
    return np.floor(np.maximum(np.minimum(burst[:, None], held + waited / gap[:, None]), 0.0) + 1e-9)


def interval_bucket(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A bucket that gets several tokens at once at every tick of a clock.

    Columns: burst, seconds between ticks, phase, tokens a tick.
    """
    burst, period, phase, refill = sets.T
    level, tick = burst.copy(), np.full(len(sets), -np.inf)
    levels, ticks = [level], [tick]
    for wave, moment in enumerate(past.times):
        now = began(np.full((len(sets), 1), moment), period, phase)[:, 0]
        grown = np.minimum(burst, level + refill * np.round((now - tick) / period))
        level, tick = np.maximum(grown - past.passed_in(wave), 0.0), now
        levels.append(level)
        ticks.append(tick)
    held, last = np.stack(levels, axis=1)[:, before], np.stack(ticks, axis=1)[:, before]
    passed = np.round((began(at, period, phase) - last) / period[:, None])
    return np.minimum(burst[:, None], held + refill[:, None] * np.maximum(passed, 0.0))


def concurrency(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """At most `limit` requests under way at once, however many in a minute. Column: limit."""
    return sets[:, :1] - past.under_way(at, before)


def unlimited(sets: Floats, _: Past, at: Floats, __: Ints) -> Floats:
    """No limit. No columns."""
    return np.full((len(sets), at.shape[1]), np.inf)
