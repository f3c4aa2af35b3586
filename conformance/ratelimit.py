"""Reading x-ratelimit-* headers, in the forms that servers and gateways use."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from testcard.core.exchange import Response

# Durations as OpenAI writes them, which are Go's: 1h6m0.5s, 12ms, 850µs (UTF-8 read as Latin-1).
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "\xb5s": 1e-6, "\xc2\xb5s": 1e-6, "ns": 1e-9}
_SPAN = re.compile(rf"(\d+(?:\.\d+)?)({'|'.join(sorted(_UNITS_S, key=len, reverse=True))})")
# A moment instead of a span: no contract asks for it, and there is nothing to compare it with.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d.*|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w*,? .*\d\d:\d\d.*")
_EPOCH = 1e8
"""From here on a reset is seconds (or milliseconds) since 1970, not a span."""


def lines(response: Response, *, documented: bool = False) -> dict[str, str]:
    """The values of `limit`, `remaining` and `reset`, as far as they are there and are no moment.

    Args:
        documented: only the names that AIgateway and OpenAI document, which end in `-requests`.
    """
    values = {}
    for what in ("limit", "remaining", "reset"):
        raw = response.header(f"x-ratelimit-{what}-requests")
        if not documented:
            raw = raw or response.header(f"x-ratelimit-{what}")
        if raw and not (what == "reset" and _MOMENT.fullmatch(raw.strip())):
            # Some append their policy, as an early draft of the RateLimit header did: 100, 100;w=60
            values[what] = raw.partition(",")[0].partition(";")[0].strip()
    return values


def number(raw: str, *, duration: bool) -> float | None:
    """A count, or seconds; None where it is neither."""
    try:
        value = float(raw)
    except ValueError:
        pass
    else:
        return value if math.isfinite(value) else None
    if not duration or not raw or _SPAN.sub("", raw):
        return None
    return sum(float(count) * _UNITS_S[unit] for count, unit in _SPAN.findall(raw))


@dataclass(frozen=True, slots=True)
class Said:
    """What one answer says of the limit, under the documented names; None where it says nothing."""

    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None

    @property
    def nothing(self) -> bool:
        return self.limit is None and self.remaining is None and self.reset_s is None


def said(response: Response | None) -> Said:
    """What an answer says of the limit under the documented names."""
    if response is None:
        return Said()
    values = lines(response, documented=True)
    read = {what: number(raw, duration=what == "reset") for what, raw in values.items()}
    reset = read.get("reset")
    return Said(read.get("limit"), read.get("remaining"), reset if reset is not None and reset < _EPOCH else None)
