# ruff: noqa: ARG002  (a hook is given more than the usual server needs)
"""Servers whose limits tell the truth in unusual clothes, and others that lie about 6 requests in 8 s, or as told.

Bare sockets and limiters of their own, no line shared with the bundled mock. `breaks` names the requirements of which
one has to be broken; it is empty where the server is honest.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

from wild_limiter import FixedWindow, Limiter, SlidingLog, TokenBucket
from wild_server import KEYS, Ask, Reply, Wild

REQUESTS, WINDOW_S = 6, 8.0
SERVERS: dict[str, type[Bounded]] = {}
"""By name: every server of this file."""


class Bounded(Wild):
    """A server with a log of so many requests in a window for each key."""

    breaks: ClassVar[tuple[str, ...]] = ()
    keys = ("main", "second", "limited")

    def __init__(self, requests: int = REQUESTS, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self.requests, self.window_s = requests, window_s
        self.declares = {"limited": {"requests": requests, "window_s": window_s}}
        self.limiter = self.counting()
        self.dice = random.Random(7)
        self.turn, self.lock = 0.0, threading.Lock()

    def counting(self) -> Limiter:
        return SlidingLog(self.requests, self.window_s)

    def limit(self, ask: Ask) -> Reply | None:
        wait = self.limiter.take(ask.key or "", time.time())
        return self.over(ask, wait) if wait is not None else None

    def over(self, ask: Ask, wait: int) -> Reply | None:
        """What comes over the limit."""
        return self.limited(wait)


def honest(kind: type[Bounded]) -> type[Bounded]:
    """Enter a server into the table."""
    kind.breaks = ()
    SERVERS[kind.__name__] = kind
    return kind


def breaking(*requirements: str) -> Callable[[type[Bounded]], type[Bounded]]:
    """Enter a liar into the table."""

    def enter(kind: type[Bounded]) -> type[Bounded]:
        honest(kind).breaks = requirements
        return kind

    return enter


# Honest, in unusual clothes.


@honest
class OnlyPicturesCount(Bounded):
    """The limiter stands behind the validation."""

    steps = ("route", "authenticate", "validate", "pay", "limit", "generate")


@honest
class ByPath(Bounded):
    """A limit for each path."""

    def limit(self, ask: Ask) -> Reply | None:
        wait = self.limiter.take(f"{ask.key} {ask.path}", time.time())
        return self.over(ask, wait) if wait is not None else None


@honest
class ByDateAnHourOff(Bounded):
    """Its clock is an hour behind; its dates agree among themselves."""

    def limited(self, wait: int) -> Reply:
        reply = self.error(429, "Too fast.")
        reply.headers.append(("Retry-After", _date(wait + 1 - 3600)))
        return reply

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply = super().dress(ask, reply)
        reply.replace("Date", _date(-3600))
        return reply


@honest
class Refilled(Bounded):
    """A bucket, with resets as a duration."""

    def counting(self) -> Limiter:
        return TokenBucket(self.requests, self.window_s)

    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.headers.append(("x-ratelimit-reset-requests", f"0m{wait}s"))
        return reply


@honest
class ResetAsMoment(Bounded):
    """The reset is a moment, in seconds since the epoch, under the short names."""

    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.headers += [("X-RateLimit-Limit", str(self.requests)), ("X-RateLimit-Remaining", "0")]
        reply.headers.append(("X-RateLimit-Reset", str(int(time.time()) + wait)))
        return reply


@honest
class SometimesUnavailable(Bounded):
    """One answer in eight is a documented 503, whatever the limit."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"] and self.dice.random() < 0.12:
            return self.error(503, "Try again.")
        return super().limit(ask)


@honest
class Jittered(Bounded):
    """Up to two seconds at random on top of a wait within the window, so that clients do not come back together."""

    def limited(self, wait: int) -> Reply:
        return super().limited(min(wait + self.dice.randint(0, 2), int(self.window_s)))


@honest
class Distant(Bounded):
    """Every answer takes 200 to 350 ms, whatever it is."""

    def limit(self, ask: Ask) -> Reply | None:
        time.sleep(0.1 + 0.1 * self.dice.random())
        reply = super().limit(ask)
        time.sleep(0.1 + 0.05 * self.dice.random())
        return reply


@honest
class Windowed(Bounded):
    """Windows of the clock, and both ways to tell the wait, which agree."""

    def counting(self) -> Limiter:
        return FixedWindow(self.requests, self.window_s)

    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.headers.append(("retry-after-ms", str(1000 * wait)))
        return reply


@honest
class Queues(Bounded):
    """Refuses nothing: what is too much waits for its turn, at the declared pace."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"]:
            with self.lock:
                now = time.time()
                turn = self.turn = max(now, self.turn + self.window_s / self.requests)
            time.sleep(turn - now)
        return None


# Liars: what comes over the limit is no 429.


@breaking("limit.enforced")
class Forbidden(Bounded):
    """A 403."""

    def over(self, ask: Ask, wait: int) -> Reply | None:
        return self.error(403, "Too fast.")

    def slug(self, status: int) -> str:
        return "scope_exceeded" if status == 403 else super().slug(status)


@breaking("limit.enforced")
class Unavailable(Bounded):
    """A 503 with Retry-After, from a window of the clock."""

    def counting(self) -> Limiter:
        return FixedWindow(self.requests, self.window_s)

    def over(self, ask: Ask, wait: int) -> Reply | None:
        reply = self.error(503, "Too fast.")
        reply.headers.append(("Retry-After", str(wait)))
        return reply


@breaking("limit.enforced")
class ErrorAs200(Bounded):
    """A 200 whose body is an error."""

    def over(self, ask: Ask, wait: int) -> Reply | None:
        return self.reply({"error": {"message": "Too fast.", "type": "rate_limit_error"}})


@breaking("limit.enforced")
class HangsUp(Bounded):
    """The connection is reset."""

    def over(self, ask: Ask, wait: int) -> Reply | None:
        raise ConnectionResetError


@breaking("limit.enforced")
class Unlimited(Bounded):
    """Everything passes."""

    def limit(self, ask: Ask) -> Reply | None:
        return None


@breaking("limit.enforced", "limit.exact")
class TwoProcesses(Bounded):
    """Two processes with a counter each take the connections as they come: the limit doubles."""

    def counting(self) -> Limiter:
        return _Several([SlidingLog(self.requests, self.window_s) for _ in range(2)])


@breaking("limit.enforced")
class FourProcesses(Bounded):
    """Four of them, with windows of the clock."""

    def counting(self) -> Limiter:
        return _Several([FixedWindow(self.requests, self.window_s) for _ in range(4)])


@breaking("limit.enforced")
class Forgets(Bounded):
    """A counter that is lost with every seventh request, as when its process starts anew."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"] and self.dice.random() < 1 / 7:
            self.limiter = self.counting()
        return super().limit(ask)


@breaking("limit.granted")
class Stingy(Bounded):
    """Two thirds of what is declared, in windows of the clock."""

    def counting(self) -> Limiter:
        return FixedWindow(2 * self.requests // 3, self.window_s)


# Liars: what the refusal says.


@breaking("error.envelope")
class Bodiless(Bounded):
    """A 429 without a body."""

    def limited(self, wait: int) -> Reply:
        return Reply(429, b"", [("Retry-After", str(wait))])


@breaking("error.envelope")
class Proxied(Bounded):
    """A 429 in HTML, by a proxy that knows nothing of the contract."""

    def limited(self, wait: int) -> Reply:
        page = b"<html><head><title>429 Too Many Requests</title></head><body>nginx</body></html>"
        return Reply(429, page, [("Content-Type", "text/html"), ("Retry-After", str(wait))])


class _Says(Bounded):
    """Retry-After in another form."""

    def says(self, wait: int) -> str:
        raise NotImplementedError

    def limited(self, wait: int) -> Reply:
        reply = self.error(429, "Too fast.")
        reply.headers.append(("Retry-After", self.says(wait)))
        return reply


@breaking("limit.retry-after")
class Fractions(_Says):
    """1.5"""

    def says(self, wait: int) -> str:
        return f"{wait + 0.5}"


@breaking("limit.retry-after")
class Units(_Says):
    """2s"""

    def says(self, wait: int) -> str:
        return f"{wait}s"


@breaking("limit.retry-after")
class LocalTime(_Says):
    """A date of the local clock, two hours ahead, that calls itself GMT."""

    def says(self, wait: int) -> str:
        return _date(wait + 7200)


@breaking("limit.retry-after")
class Epoch(_Says):
    """The moment in seconds since 1970."""

    def says(self, wait: int) -> str:
        return str(int(time.time()) + wait)


@breaking("error.retry-after-ms")
class TwoWaits(Bounded):
    """A tenth of the wait in milliseconds, where OpenAI's SDKs look first."""

    def limited(self, wait: int) -> Reply:
        reply = super().limited(wait)
        reply.headers.append(("retry-after-ms", str(100 * wait)))
        return reply


@breaking("limit.retry-after-honest")
class Guesses(_Says):
    """1 to 3 s, at random."""

    def says(self, wait: int) -> str:
        return str(self.dice.randint(1, 3))


@breaking("limit.retry-after-honest")
class AlwaysOne(_Says):
    """1, whatever the wait."""

    def says(self, wait: int) -> str:
        return "1"


@breaking("limit.retry-after-honest")
class Halves(_Says):
    """Half of the wait."""

    def says(self, wait: int) -> str:
        return str(max(1, wait // 2))


@breaking("limit.retry-after-tight")
class WholeWindow(_Says):
    """The whole window, although a bucket gives one back after 1.4 s."""

    def counting(self) -> Limiter:
        return TokenBucket(self.requests, self.window_s)

    def says(self, wait: int) -> str:
        return str(int(self.window_s))


@breaking("limit.refusals-free")
class CountsRefusals(Bounded):
    """A log in which refused requests stand as well."""

    def counting(self) -> Limiter:
        return _CountingAll(self.requests, self.window_s)


@honest
class CountsRefusalsAsOpenAi(CountsRefusals):
    """OpenAI documents that unsuccessful requests count."""

    dialect = "openai"


@breaking("limit.refused-at-once")
class Tarpit(Bounded):
    """A refusal takes 3 s."""

    def over(self, ask: Ask, wait: int) -> Reply | None:
        time.sleep(3.0)
        return self.limited(max(1, wait - 3))


@breaking("limit.per-key")
class ByAddress(Bounded):
    """One limit for all keys of an address."""

    def limit(self, ask: Ask) -> Reply | None:
        wait = self.limiter.take("127.0.0.1", time.time())
        return self.over(ask, wait) if wait is not None else None


@breaking("limit.exact")
class OneMore(Bounded):
    """Compares before it counts: one more passes than is declared."""

    def counting(self) -> Limiter:
        return SlidingLog(self.requests + 1, self.window_s)


@honest
class ByAddressAsOpenAi(ByAddress):
    """OpenAI's limits are an organization's, whatever the key."""

    dialect = "openai"


@breaking("limit.headers-true")
class NeverLess(Bounded):
    """2 are left, whatever was asked for."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply.headers += [("x-ratelimit-limit-requests", str(self.requests)), ("x-ratelimit-remaining-requests", "2")]
        return super().dress(ask, reply)


@dataclass
class _Several:
    """Limiters that know nothing of each other, one drawn for each request."""

    limiters: list[Limiter]
    dice: random.Random = field(default_factory=lambda: random.Random(3))

    def take(self, key: str, now: float) -> int | None:
        return self.dice.choice(self.limiters).take(key, now)


class _CountingAll:
    """Refused requests count."""

    def __init__(self, requests: int, window_s: float) -> None:
        self._requests, self._window = requests, window_s
        self._seen: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> int | None:
        with self._lock:
            seen = self._seen[key] = [moment for moment in self._seen[key] if moment > now - self._window]
            seen.append(now)
            if len(seen) <= self._requests:
                return None
            return max(1, int(seen[-self._requests] + self._window - now) + 1)


def _date(after_s: float) -> str:
    return format_datetime(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=after_s), usegmt=True)
