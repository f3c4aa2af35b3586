"""Which answers of a check are shown to the SDKs: the first of each kind that an SDK's user can meet."""

from __future__ import annotations

import threading

from testcard.core.exchange import Exchange, Response

_MOST = 24
_MOST_BYTES = 32 * 1024 * 1024


class Samples:
    """Keeps the first answer of each kind, whole. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[object, ...], Exchange] = {}

    def add(self, exchange: Exchange) -> None:
        """Keep the exchange if it is the first of its kind."""
        kind = _kind(exchange)
        if kind is not None:
            with self._lock:
                if len(self._kept) < _MOST:
                    self._kept.setdefault(kind, exchange)

    def exchanges(self) -> list[Exchange]:
        """Those kept, in the order of asking."""
        with self._lock:
            return sorted(self._kept.values(), key=lambda exchange: exchange.number)


def _kind(exchange: Exchange) -> tuple[object, ...] | None:
    """What makes two answers the same to an SDK; None for what no SDK's user meets, or what was not complete."""
    request, response = exchange.request, exchange.response
    if response is None or exchange.failure is not None or not request.to_generate:
        return None
    if len(response.body) > _MOST_BYTES:
        return None
    shape = _shape(response)
    if response.status >= 400:
        return response.status, response.header("x-should-retry"), shape
    if response.status == 200 and request.credentialed and not request.violations:
        return 200, request.fields.get("response_format"), request.images > 1, shape
    return None


def _shape(response: Response) -> tuple[str, ...]:
    body = response.json
    return response.media_type, type(body).__name__, *(sorted(map(str, body)) if isinstance(body, dict) else ())
