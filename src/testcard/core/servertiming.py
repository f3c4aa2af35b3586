"""A server's own word about its time, read off an answer: Server-Timing, and the headers of OpenAI's manner.

Read leniently and never judged: a server owes nobody these headers, and what it measures with them is its own affair.
A metric that cannot be read is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from testcard.core.exchange import Response
from testcard.core.record import Jsonable

FIELD = "server-timing"
PROCESSING = ("openai-processing-ms", "x-processing-ms")
"""Headers that hold a number of milliseconds and nothing else (platform.openai.com/docs/api-reference,
Debugging requests: "Time taken processing your API request")."""
WHOLE = ("total", *PROCESSING)
"""Metrics that mean all of the server's time, by name; the first that an answer carries is taken."""

_MOST_METRICS = 8
_LONGEST_FIELD = 4096
_LONGEST_S = 24 * 3600.0
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # a token of RFC 9110, of a length that a table can show
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class ServerMetric(Jsonable):
    """What the answers of a load said under one name."""

    name: str
    """Of Server-Timing as spelt, or the name of the header in lower case."""
    answers: int
    """Those that carried it."""
    share: float
    """Of all answers with a 2xx."""
    seconds: dict[str, float]
    """p50, p95, max."""


@dataclass(frozen=True, slots=True)
class ServerTiming(Jsonable):
    """A server's own word about its time, beside what a client saw. Over measured answers with a 2xx."""

    answers: int
    """Those that said how long anything took."""
    share: float
    """Of all answers with a 2xx."""
    compared: str
    """What stands for the whole of the server's time: the name of a metric, or `the longest metric`."""
    service_s: dict[str, float]
    """Sent to last byte, of these answers: p50, p95, max."""
    unaccounted_s: dict[str, float]
    """Service minus what is compared, answer by answer: p50, p95, max. Network, queues in front, the body's way."""
    overclaimed: int
    """Answers whose server claimed more time than the whole exchange took."""
    metrics: tuple[ServerMetric, ...]
    """The most frequent ones first."""


def server_times(response: Response) -> dict[str, float] | None:
    """How long what took by the server's own account, in seconds by name; None where it says nothing.

    A metric without a duration is left out; of one that comes several times in an answer the longest counts, since
    its parts may overlap. At most 8, and no name of more than 64 characters.
    """
    found: dict[str, float] = {}
    processing: dict[str, float | None] = {}
    for name, value in response.headers:
        low = name.lower()
        if low == FIELD:
            for metric, seconds in _metrics(value[:_LONGEST_FIELD]):
                if metric in found or len(found) < _MOST_METRICS or metric.lower() in WHOLE:
                    found[metric] = max(seconds, found.get(metric, 0.0))
        elif low in PROCESSING:
            processing.setdefault(low, _seconds(value))
    return found | {name: span for name, span in processing.items() if span is not None} or None


def whole(times: dict[str, float]) -> tuple[str | None, float]:
    """The metric that means all of the server's time, and that; without one None and the longest: a sum could count
    the same time twice.
    """
    by_name = {name.lower(): span for name, span in times.items()}
    for name in WHOLE:
        if name in by_name:
            return name, by_name[name]
    return None, max(times.values())


def _metrics(value: str) -> Iterator[tuple[str, float]]:
    """Names and seconds of one header line (https://www.w3.org/TR/server-timing/#the-server-timing-header-field)."""
    for metric in _split(value, ","):
        name, *params = (part.strip() for part in _split(metric, ";"))
        if not _NAME.fullmatch(name):
            continue
        for param in params:
            key, _, text = param.partition("=")
            if key.strip().lower() == "dur":  # "only the first instance is to be considered", even an invalid one
                span = _seconds(text.strip().strip('"'))
                if span is not None:
                    yield name, span
                break


def _split(text: str, separator: str) -> list[str]:
    """At every separator that stands in no quoted string; a quote that is never closed ends with the text."""
    if '"' not in text:
        return text.split(separator)
    parts, begin, quoted, escaped = [], 0, False, False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            parts.append(text[begin:place])
            begin = place + 1
    return [*parts, text[begin:]]


def _seconds(text: str) -> float | None:
    """Milliseconds at the beginning of a text, as seconds; None where there are none that could be true."""
    number = _NUMBER.match(text.strip())
    if number is None:
        return None
    span = float(number[0]) / 1000
    return round(span, 6) if 0 <= span <= _LONGEST_S else None
