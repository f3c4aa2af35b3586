"""Fetches the pictures that an answer names by URL.

As its user would: side by side, without any key, and only from hosts that may be asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent

from testcard.core.exchange import Failure
from testcard.core.mediahost import refusal
from testcard.core.target import Target
from testcard.core.transcript import MOST_REDIRECTS, media_urls, redirect
from testcard.load.arena import Arena
from testcard.load.reply import Fetched, Reply
from testcard.load.worker.connection import Asking, Connections

_MOST_URL_ANSWER = 256 * 1024  # a longer answer carries its pictures itself
_HEADERS = [("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "testcard")]


def picture_urls(reply: Reply) -> tuple[str, ...]:
    """The pictures that an answer names by URL."""
    if reply.status is None or reply.failure or not 200 <= reply.status < 300 or reply.size_bytes > _MOST_URL_ANSWER:
        return ()
    if b'"url"' not in reply.body and b"\\u" not in reply.body:  # nor spelt in another way: not worth parsing
        return ()
    return media_urls(reply.response)


class Fetching:
    """The pictures of one answer.

    Args:
        done: called with all of them, in the order of the URLs; None: nobody wants them any more.
    """

    def __init__(
        self,
        urls: Sequence[str],
        target: Target,
        connections: Connections,
        arena: Arena,
        done: Callable[[list[Fetched] | None], None],
    ) -> None:
        self._target = target
        self._connections = connections
        self._arena = arena
        self._done = done
        self._under_way: dict[int, Asking] = {}
        self._found: dict[int, Fetched] = {}
        self._count = len(urls)
        self._cancelled = False
        for place, url in enumerate(urls):
            gevent.spawn(self._get, place, url, url, time.monotonic(), time.time(), 0)

    def cancel(self) -> None:
        """Stop fetching."""
        if self._cancelled or len(self._found) == self._count:
            return
        self._cancelled = True
        for asking in list(self._under_way.values()):
            asking.cancel()
        for fetched in self._found.values():
            self._give_back(fetched.reply)
        self._done(None)

    def _get(self, place: int, named: str, url: str, began: float, began_at: float, redirects: int) -> None:
        """One hop, in a greenlet: to find out whether a host may be asked can take a while."""

        def came(reply: Reply) -> None:
            there = redirect(url, reply.response) if redirects < MOST_REDIRECTS else None
            if self._cancelled:
                self._give_back(reply)
            elif there is not None:
                self._give_back(reply)
                gevent.spawn(self._get, place, named, there, began, began_at, redirects + 1)
            else:
                self._keep(place, Fetched(named, began, began_at, time.time(), reply))

        reason = refusal(url, self._target)
        if reason is not None:
            came(Reply(time.monotonic(), failure=Failure("not-fetched", reason)))
        elif not self._cancelled:
            self._under_way[place] = self._connections.ask("GET", url, _HEADERS, came)

    def _keep(self, place: int, fetched: Fetched) -> None:
        self._found[place] = fetched
        if len(self._found) == self._count:
            self._done([self._found[number] for number in range(self._count)])

    def _give_back(self, reply: Reply) -> None:
        if reply.lease is not None:
            self._arena.give_back(reply.lease)
