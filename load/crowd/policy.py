"""Whether a client asks again, and when: the rules of policies.toml, read by one function.

Rule 1: pure. The dice and the clock are handed in.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from testcard.core.errors import UsageError

# What parseFloat takes of a text: as much of its beginning as is a decimal number (ECMA-262, parseFloat).
_LEADING = re.compile(r"\s*([+-]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client sees of an answer when it decides."""

    status: int | None
    """None: no complete answer came."""
    headers: Mapping[str, str]
    """By names in lower case."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One row of policies.toml, where each field is explained."""

    name: str
    statement: str
    source: str
    retries: int
    statuses: tuple[int, ...]
    should_retry: bool
    reads: tuple[str, ...]
    number: str
    obeys_s: tuple[float, float]
    obeys_zero: bool
    beyond: str
    backoff_s: tuple[float, float]
    backoff_shortened: float
    wait_lengthened: float

    def wait_s(self, reply: Reply, retries_taken: int, *, dice: Random, now: float) -> float | None:
        """Seconds until the client asks again, or None where it gives up or is content.

        Args:
            retries_taken: before this one.
            now: seconds since the epoch, for dates.
        """
        told = self._told_s(reply, now)
        beyond = told is not None and told > self.obeys_s[1] and bool(self.reads)
        if retries_taken >= self.retries or not self._tries_again(reply):
            return None
        if beyond and self.beyond == "give-up":
            return None
        if told is not None and not beyond and (told > self.obeys_s[0] or (told == 0 and self.obeys_zero)):
            return told * (1 + self.wait_lengthened * dice.random())
        first, most = self.backoff_s
        return min(first * 2.0**retries_taken, most) * (1 - self.backoff_shortened * dice.random())

    def longest_s(self, told_s: float) -> float:
        """The longest that a client waits in all, if every answer tells it to wait so long."""
        first, most = self.backoff_s
        if self.reads and told_s <= self.obeys_s[1]:
            return self.retries * told_s * (1 + self.wait_lengthened)
        return sum(min(first * 2.0**taken, most) for taken in range(self.retries))

    def _tries_again(self, reply: Reply) -> bool:
        if reply.status is None:
            return True
        if reply.status < 400:
            return False
        if self.should_retry and reply.headers.get("x-should-retry") in ("true", "false"):
            return reply.headers["x-should-retry"] == "true"
        return reply.status in self.statuses or reply.status >= 500

    def _told_s(self, reply: Reply, now: float) -> float | None:
        """The wait that the answer asks for, as this client reads it; None where it reads none."""
        for name in self.reads:
            raw = reply.headers.get(name)
            if raw is None:
                continue
            number = self._number(raw)
            if number is not None:
                told = number / 1000 if name.endswith("-ms") else number
                return told if math.isfinite(told) else None
        return _date_s(reply.headers.get("retry-after"), now) if "retry-after" in self.reads else None

    def _number(self, raw: str) -> float | None:
        """The number that this client reads, which may be infinite, or None where it reads none."""
        if self.number == "leading":
            found = _LEADING.match(raw)
            raw = found[1] if found else ""
        try:
            return float(raw)
        except ValueError:
            return None


def _date_s(raw: str | None, now: float) -> float | None:
    try:
        parsed = parsedate_tz(raw or "")
        return None if parsed is None else mktime_tz(parsed) - now
    except (ValueError, OverflowError, OSError):
        return None


@cache
def policies() -> dict[str, Policy]:
    """The policies by name, in the order of their file."""
    rows = tomllib.loads((files("testcard.load.crowd") / "policies.toml").read_text(encoding="utf-8"))["policy"]
    frozen: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
    ]
    return {row["name"]: Policy(**row) for row in frozen}


def policy(name: str) -> Policy:
    """The policy of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in policies():
        near = difflib.get_close_matches(name, policies(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"--policy {name}: there is none of that name: {', '.join(policies())}{hint}")
    return policies()[name]
