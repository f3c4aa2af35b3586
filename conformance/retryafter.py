"""Reading Retry-After (RFC 9110, section 10.2.3): delay-seconds, or an HTTP date."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from testcard.core.exchange import Response

# IMF-fixdate, the only form that a sender may generate (RFC 9110, section 5.6.7).
_IMF_FIXDATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")


class BadRetryAfter(ValueError):
    """The header has a form that RFC 9110 does not know."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a server asks to wait."""

    seconds: float
    by_date: bool


def retry_after_s(response: Response) -> Wait:
    """The wait that an answer asks for; a date counts from the answer's own Date, else from our clock.

    Raises:
        BadRetryAfter: there is none, or it is neither whole seconds nor an HTTP date.
    """
    raw = (response.header("retry-after") or "").strip()
    if raw.isascii() and raw.isdigit():
        return Wait(float(raw), by_date=False)
    if _IMF_FIXDATE.fullmatch(raw) is None:
        raise BadRetryAfter(f"Retry-After: {raw or 'empty'} is neither whole seconds nor an HTTP date")
    try:
        moment = parsedate_to_datetime(raw).timestamp()
    except ValueError as error:
        raise BadRetryAfter(f"Retry-After: {raw} is no date") from error
    return Wait(moment - _now(response), by_date=True)


def _now(response: Response) -> float:
    try:
        return parsedate_to_datetime(response.header("date") or "").timestamp()
    except ValueError:
        return float(int(time.time()))


def retry_after_ms(response: Response) -> float | None:
    """Seconds that `retry-after-ms` asks for, which the official SDKs read first; None where there is no such header.

    Raises:
        BadRetryAfter: it is no number of milliseconds.
    """
    raw = response.header("retry-after-ms")
    if raw is None:
        return None
    try:
        wait_s = float(raw) / 1000
    except ValueError:
        wait_s = math.nan
    if not math.isfinite(wait_s) or wait_s < 0:
        raise BadRetryAfter(f"retry-after-ms: {raw[:40] or 'empty'} is no number of milliseconds")
    return wait_s
