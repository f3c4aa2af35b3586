"""What the probe of requests in flight says of servers that are slow, small or lenient, and of those that mix up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wild_check import Examined, examine
from wild_server import Ask, Reply, Wild, declare

IDS = {"concurrency.answered", "concurrency.no-server-error", "concurrency.own-picture"}
SERVERS: list[tuple[type[Wild], str | None]] = []


def server(breaks: str | None = None) -> Any:
    """Enter a server, with the requirement about concurrency that it breaks, if it breaks one."""

    def enter(kind: type[Wild]) -> type[Wild]:
        SERVERS.append((kind, breaks))
        return kind

    return enter


@server()
class OneAfterTheOther(Wild):
    """One worker, and it takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.worker = threading.Lock()

    def generate(self, ask: Ask) -> Reply:
        with self.worker:
            time.sleep(0.1)
            return super().generate(ask)


@server()
class RoomForTwo(Wild):
    """Whoever comes when two are served is told to come back: a documented 503."""

    def __init__(self) -> None:
        super().__init__()
        self.room = threading.Semaphore(2)

    def generate(self, ask: Ask) -> Reply:
        if not self.room.acquire(blocking=False):
            reply = self.error(503, "Both places are taken.")
            reply.headers.append(("Retry-After", "1"))
            return reply
        try:
            time.sleep(0.1)
            return super().generate(ask)
        finally:
            self.room.release()


class Lingering(Wild):
    """Every picture takes so long that those that were asked for together are under way together."""

    def picture(self, width: int, height: int) -> bytes:
        time.sleep(0.1)
        return super().picture(width, height)


@server()
class OneSizeForAll(Lingering):
    """Wrong, and not for the company."""

    def pixels(self, size: object) -> tuple[int, int] | None:
        return (64, 64) if super().pixels(size) else None


@server()
class OneSizeForAllInOneForm(OneSizeForAll):
    formats = ("b64_json",)


@server()
class Turned(Lingering):
    """Width and height change places, in the only form that there is."""

    formats = ("b64_json",)

    def picture(self, width: int, height: int) -> bytes:
        return super().picture(height, width)


@server()
class SamePictureForAll(Lingering):
    """One placeholder, whoever asks."""

    def picture(self, width: int, height: int) -> bytes:
        self.first = getattr(self, "first", None) or super().picture(width, height)
        return self.first


@server()
class NeverTwo(Lingering):
    """n = 2 is answered with 500, in company and alone."""

    def generate(self, ask: Ask) -> Reply:
        return self.error(500, "One at most.") if ask.fields.get("n") == 2 else super().generate(ask)


class Meeting(Lingering):
    """Knows what is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[Ask] = []

    def generate(self, ask: Ask) -> Reply:
        self.under_way.append(ask)
        try:
            time.sleep(0.1)
            return self.in_company(ask, [other for other in self.under_way if other is not ask])
        finally:
            self.under_way.remove(ask)

    def in_company(self, ask: Ask, others: list[Ask]) -> Reply:  # noqa: ARG002  (for those that look at them)
        return super().generate(ask)


@server("concurrency.own-picture")
class LastOneWins(Meeting):
    """The request is kept in one place, and the last one that came overwrites it."""

    def in_company(self, ask: Ask, others: list[Ask]) -> Reply:
        time.sleep(0.1)
        self.shared = self.under_way[-1]
        ask.fields = {**ask.fields, "prompt": self.shared.fields.get("prompt")}
        return super().in_company(ask, others)

    def success(self, items: list[dict[str, Any]], ask: Ask) -> dict[str, Any]:
        return {**super().success(items, ask), "prompt": ask.fields.get("prompt")}


@server("concurrency.own-picture")
class AnothersRequestId(Meeting):
    def in_company(self, ask: Ask, others: list[Ask]) -> Reply:
        reply = super().in_company(ask, others)
        if others:
            ask.headers["x-request-id"] = others[0].headers.get("x-request-id", "")
        return reply


@server("concurrency.no-server-error")
class NotThreadSafe(Meeting):
    """An undocumented status, for all but the one that came first."""

    def in_company(self, ask: Ask, others: list[Ask]) -> Reply:
        first = not others or self.under_way[0] is ask
        return super().in_company(ask, others) if first else self.error(502, "Worker died.")


@server("concurrency.answered")
class HangsUp(Meeting):
    def in_company(self, ask: Ask, others: list[Ask]) -> Reply:
        if others:
            raise ConnectionResetError
        return super().in_company(ask, others)


class RoomFor(Wild):
    """Whoever comes when all places are taken is dropped."""

    places = 3
    declares = declare(timeout_s=30.0)  # so that all of them may be in flight, however busy the machine

    def __init__(self) -> None:
        super().__init__()
        self.room = threading.Semaphore(self.places)
        self.last_came = 0.0

    def generate(self, ask: Ask) -> Reply:
        self.last_came = time.monotonic()
        if not self.room.acquire(blocking=False):
            return self.full()
        try:
            while time.monotonic() < self.last_came + 0.6:  # on a busy machine those sent at once come one by one
                time.sleep(0.02)
            return super().generate(ask)
        finally:
            self.room.release()

    def full(self) -> Reply:
        raise ConnectionResetError


@server("concurrency.answered")
class RoomForThree(RoomFor):
    """Of seven, four are dropped; sent again by themselves, all but one would find a place."""


@server("concurrency.no-server-error")
class ErrorBeyondThree(RoomFor):
    def full(self) -> Reply:
        return self.error(500, "No worker left.")


@server("concurrency.answered")
class StrictRoomForThree(RoomFor):
    """No other request keeps those company that it dropped: it refuses odd sizes and empty prompts at once."""

    def inspect(self, fields: dict[str, Any]) -> Reply | None:
        if fields.get("prompt") == "" or fields.get("size", "64x64") not in self.sizes:
            return self.refusal("Not so.", None)
        return super().inspect(fields)


@server()
class OneBadMoment(Lingering):
    """Half a second in which nobody gets an answer: not for the company."""

    def __init__(self) -> None:
        super().__init__()
        self.until: float | None = None

    def generate(self, ask: Ask) -> Reply:
        if ask.fields.get("response_format") == "b64_json" and self.until is None:
            self.until = time.monotonic() + 0.5
        if self.until is not None and time.monotonic() < self.until:
            raise ConnectionResetError
        return super().generate(ask)


@pytest.fixture(scope="module")
def examined() -> dict[str, Examined]:
    """All of them; each has its own port, and most of them wait most of the time. Those with little room come first:
    what is sent to them at once has to come at once.
    """
    small = [kind for kind, _ in SERVERS if issubclass(kind, RoomFor)]
    found: dict[str, Examined] = {}
    for kinds in (small, [kind for kind, _ in SERVERS if kind not in small]):
        with ThreadPoolExecutor(len(kinds)) as pool:
            results = pool.map(lambda kind: examine(kind()), kinds)
            found |= {kind.__name__: result for kind, result in zip(kinds, results, strict=True)}
    return found


@pytest.mark.parametrize(("kind", "breaks"), SERVERS, ids=lambda value: getattr(value, "__name__", ""))
def test_only_what_company_does_is_held_against_it(
    kind: type[Wild], breaks: str | None, examined: dict[str, Examined]
) -> None:
    """A server that mixes up, drops or fails requests in flight together is found, and no other is accused of it."""
    broken = examined[kind.__name__].of("fail", "warn")
    assert broken.keys() & IDS == ({breaks} if breaks else set()), broken


@pytest.mark.parametrize("kind", [OneAfterTheOther, RoomForTwo])
def test_slow_and_small_servers_are_right(kind: type[Wild], examined: dict[str, Examined]) -> None:
    """Nothing at all is held against them."""
    assert examined[kind.__name__].of("fail", "warn") == {}
