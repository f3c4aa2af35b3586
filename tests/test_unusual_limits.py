"""Limiters of other kinds, and other ways to speak of limits: none is accused on the limited key."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

import pytest

from wild_check import examine
from wild_limiter import FixedWindow, SlidingLog, TokenBucket
from wild_server import KEYS, Ask, Reply, Wild

LIMITERS: list[type[Wild]] = []
SAID: dict[str, dict[str, str]] = {
    "seconds": {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599"},
    "all of them in seconds": {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "12",
    },
    "a duration in words": {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "1h6m0.5s",
        "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-remaining-tokens": "159976",
        "x-ratelimit-reset-tokens": "12ms",
    },
    "a very short duration": {"x-ratelimit-reset-requests": "850µs", "x-ratelimit-limit-requests": "5"},
    "the moment of the reset": {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "99",
        "X-RateLimit-Reset": "1776947082",
    },
    "the moment as a date": {"X-RateLimit-Limit": "100", "X-RateLimit-Reset": "2026-11-22T10:15:30.5Z"},
    "the moment as an HTTP date": {"X-RateLimit-Reset": "Sun, 22 Nov 2026 10:15:30 GMT", "X-RateLimit-Limit": "9"},
    "the moment as Ruby writes it": {"X-RateLimit-Reset": "2026-11-22 10:15:30 UTC", "X-RateLimit-Limit": "9"},
    "the moment as JavaScript has it": {"X-RateLimit-Reset": "Sun Nov 22 2026 10:15:30 GMT+0000"},
    "with its policy": {"X-RateLimit-Limit": "100, 100;w=60, 1000;w=3600", "X-RateLimit-Remaining": "99"},
    "two limits at once": {
        "X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "3",
        "x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599",
    },
    "tokens only": {"x-ratelimit-limit-tokens": "10", "x-ratelimit-remaining-tokens": "3"},
    "the standard's own header": {"RateLimit-Policy": '"default";q=100;w=60', "RateLimit": '"default";r=50;t=30'},
}  # fmt: skip


def limiting(kind: type[Wild]) -> type[Wild]:
    """Enter a server into the table; it is tried with every key."""
    kind.keys = ("main", "second", "empty_wallet", "limited")
    LIMITERS.append(kind)
    return kind


@limiting
class Sliding(Wild):
    pass


@limiting
class Fixed(Wild):
    """Windows of the clock: a burst may straddle two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = FixedWindow(3, 1.0)


@limiting
class FixedAndStraddled(Wild):
    """The worst straddle: the first window ends when its requests are used up."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = _Straddled(3, 1.0)


class _Straddled(FixedWindow):
    """A fixed window whose clock turns right after the first few requests."""

    def take(self, key: str, now: float) -> int | None:
        self.first = getattr(self, "first", now)
        before = getattr(self, "taken", 0)
        self.taken = before + 1
        return super().take(key, now - self.first + (100.999 if before < 3 else 101.0))


@limiting
class Bucket(Wild):
    def __init__(self) -> None:
        super().__init__()
        self.limiter = TokenBucket(3, 1.0)


@limiting
class OnlyPicturesCount(Wild):
    """Refused bodies are free: the limiter stands behind the validation."""

    steps = ("route", "authenticate", "validate", "pay", "limit", "generate")


@limiting
class SlowAndOnlyPicturesCount(OnlyPicturesCount):
    """Pictures take so long that one after the other never comes near the limit."""

    def picture(self, width: int, height: int) -> bytes:
        time.sleep(0.4)
        return super().picture(width, height)


@limiting
class WaitsBeforeItCounts(OnlyPicturesCount):
    """One worker: what is sent at once is counted one by one, when it is its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.worker = threading.Lock()

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key != KEYS["limited"]:
            return super().limit(ask)
        with self.worker:
            time.sleep(0.4)
            return super().limit(ask)


@limiting
class FullForAMoment(Wild):
    """Has room for so many at once, over all keys: who kept the wait may come when it is full."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = self._full = False

    def limit(self, ask: Ask) -> Reply | None:
        reply = super().limit(ask)
        if ask.key != KEYS["limited"]:
            return reply
        if reply is None and self._refused and not self._full:
            self._full = True
            return self.limited(1)
        self._refused = self._refused or reply is not None
        return reply


@limiting
class TurnsAmongPictures(OnlyPicturesCount):
    """A window of the clock that ends when its pictures are used up: as many more are let through at once."""

    def __init__(self) -> None:
        super().__init__()
        self.declares = {"limited": {"requests": 3, "window_s": 4.0}}
        self.limiter = FixedWindow(3, 4.0)
        self.pictures = count()

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key != KEYS["limited"]:
            return super().limit(ask)
        before = 0.1 if next(self.pictures) < 3 else -0.1
        time.sleep(max(0.0, 4.0 - time.time() % 4.0 - before))
        return super().limit(ask)


@limiting
class BeforeAnythingElse(Wild):
    steps = ("limit", "route", "authenticate", "validate", "pay", "generate")


@limiting
class ByDate(Wild):
    """Retry-After as a date, rounded up to the second as the wait itself is."""

    def limited(self, wait: int) -> Reply:
        reply = self.error(429, "Too fast.")
        moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=wait + 1)
        reply.headers.append(("Retry-After", format_datetime(moment, usegmt=True)))
        return reply


@limiting
class ByDateWithoutDate(ByDate):
    def dress(self, ask: Ask, reply: Reply) -> Reply:
        reply = super().dress(ask, reply)
        reply.headers = [line for line in reply.headers if line[0] != "Date"]
        return reply


@limiting
class ByDateOnAnotherClock(ByDate):
    """A server whose clock is an hour behind: its dates are consistent among themselves."""

    def dress(self, ask: Ask, reply: Reply) -> Reply:
        hour = timedelta(hours=1)
        reply = super().dress(ask, reply)
        for name, value in list(reply.headers):
            if name in ("Date", "Retry-After") and value.endswith("GMT"):
                moment = datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
                reply.replace(name, format_datetime(moment - hour, usegmt=True))
        return reply


@limiting
class HangsUpInTheBurst(Wild):
    """One request on the limited key finds its connection closed."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"] and next(self.asked) == 2:
            raise ConnectionResetError
        return super().limit(ask)


@limiting
class UnavailableInTheBurst(Wild):
    """One request of the burst is answered with a documented 503."""

    def limit(self, ask: Ask) -> Reply | None:
        if ask.key == KEYS["limited"] and next(self.asked) == 2:
            return self.error(503, "Try again.")
        return super().limit(ask)


@limiting
class MoreThanRequests(Wild):
    """Concurrency is limited too: a third request at the same time is told to come back in a second."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count(1)
        self.at_once = SlidingLog(2, 0.005)

    def limit(self, ask: Ask) -> Reply | None:
        wait = self.at_once.take("all", time.time()) if ask.key == KEYS["main"] else None
        return self.limited(1) if wait is not None and next(self.numbers) % 9 == 0 else super().limit(ask)


@limiting
class StallsWhileRefusing(Wild):
    """The first answer to another key while one is refused takes longer than half of the wait that was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.declares = {"limited": {"requests": 4, "window_s": 6.0}}
        self.limiter = SlidingLog(4, 6.0)
        self.refusing = False

    def limit(self, ask: Ask) -> Reply | None:
        if self.refusing and ask.key == KEYS["second"]:
            self.refusing = False
            time.sleep(6.5)
        return super().limit(ask)

    def limited(self, wait: int) -> Reply:
        self.refusing = True
        return super().limited(wait)


@pytest.mark.parametrize("kind", LIMITERS, ids=lambda kind: kind.__name__)
def test_no_limiter_is_accused(kind: type[Wild]) -> None:
    """A limiter of this kind keeps every requirement about limits, as far as it can be seen."""
    examined = examine(kind())
    assert examined.unanswered is None
    # A server with a clock and without a Date is told so, and of nothing about limits.
    assert examined.of("fail", "warn").keys() <= ({"transport.date"} if kind is ByDateWithoutDate else set())
    if kind not in (SlowAndOnlyPicturesCount, WaitsBeforeItCounts, TurnsAmongPictures):
        assert examined.of("not-judged") == {}


@pytest.mark.parametrize("name", SAID)
def test_no_form_of_the_limit_headers_is_accused(name: str) -> None:
    """Headers about limits in the forms that servers and gateways use."""

    class Talker(Wild):
        keys = ("main",)
        dialect = "openai"

        def dress(self, ask: Ask, reply: Reply) -> Reply:
            reply.headers += SAID[name].items()
            return super().dress(ask, reply)

    examined = examine(Talker())
    assert examined.unanswered is None
    assert examined.of("fail", "warn") == {}
