"""Limiters that count requests in a window: fixed, sliding, weighted, in steps, with an allowance, in two tiers."""

from __future__ import annotations

import numpy as np

from testcard.load.ratelimit.observation import Floats, Ints, Past


def began(at: Floats, period: Floats, phase: Floats) -> Floats:
    """When the period that holds a moment began; `phase` shifts all periods by a share of one."""
    offset = phase * period
    return offset[:, None] + np.floor((at - offset[:, None]) / period[:, None]) * period[:, None]


def clock_window(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """At most `limit` in each window of a clock that nobody told us. Columns: limit, window, phase."""
    limit, window, phase = sets.T
    return limit[:, None] - past.since(began(at, window, phase), before)


def first_window(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """At most `limit` in a window that the first request after the last one opens. Columns: limit, window."""
    limit, window = sets.T
    rows = len(sets)
    opened, used = np.full(rows, -np.inf), np.zeros(rows)
    starts, counts = [opened], [used]
    for wave, moment in enumerate(past.times):
        passed = past.passed_in(wave)
        fresh = (moment >= opened + window) & (passed > 0)
        opened = np.where(fresh, moment, opened)
        used = np.where(fresh, 0.0, used) + passed
        starts.append(opened)
        counts.append(used)
    start, count = np.stack(starts, axis=1)[:, before], np.stack(counts, axis=1)[:, before]
    return np.where(at >= start + window[:, None], limit[:, None], limit[:, None] - count)


def sliding_log(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """At most `limit` in any span of a window's length. Columns: limit, window, whether refused requests count."""
    limit, window, refused = sets.T
    return limit[:, None] - past.since(at - window[:, None], before, refused=refused)


def sliding_counter(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """The window before counts by the share of it that a sliding window would still hold.

    Columns: limit, window, phase, whether the request itself is added before the estimate is compared, whether
    refused requests count.
    """
    limit, window, phase, strict, refused = sets.T
    start = began(at, window, phase)
    current = past.since(start, before, refused=refused)
    previous = past.since(start - window[:, None], before, refused=refused) - current
    rest = limit[:, None] - current - previous * (1 - (at - start) / window[:, None])
    return np.where(strict[:, None] > 0, np.floor(rest + 1e-9), np.ceil(rest - 1e-9))


def stepped_window(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A sliding window that moves a whole step at a time. Columns: limit, window, phase, steps in a window."""
    limit, window, phase, steps = sets.T
    step = window / steps
    return limit[:, None] - past.since(began(at, step, phase) - (window - step)[:, None], before)


def burst_window(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """A rolling window that admits some requests beyond its limit while they come in a burst.

    Columns: limit, window, span of a burst, requests in the span, requests beyond the limit, reading. First
    reading: beyond the limit, requests pass while the span holds fewer than its number and the window fewer than the
    limit and the surplus. Second: until the span is over, counted from the oldest request of the window, the limit
    is higher by the surplus.
    """
    limit, window, span, burst, surplus, reading = sets.T
    held = past.since(at - window[:, None], before)
    recent = past.since(at - span[:, None], before)
    allowance = np.minimum(burst[:, None] - recent, (limit + surplus)[:, None] - held)
    first = np.maximum(limit[:, None] - held, allowance)
    second = limit[:, None] + np.where(recent >= held, surplus[:, None], 0.0) - held
    return np.where(reading[:, None] > 0, second, first)


def two_tiers(sets: Floats, past: Past, at: Floats, before: Ints) -> Floats:
    """Two limits at once, of a short and of a long window.

    Columns: limit, window, limit and window of the short tier, reading (logs, windows of a clock), both phases.
    """
    limit, window, short, span, reading, phase, short_phase = sets.T
    clock = reading[:, None] > 0
    long_from = np.where(clock, began(at, window, phase), at - window[:, None])
    short_from = np.where(clock, began(at, span, short_phase), at - span[:, None])
    return np.minimum(limit[:, None] - past.since(long_from, before), short[:, None] - past.since(short_from, before))
