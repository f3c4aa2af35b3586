"""What the mock really did, to hold a load test's figures against.

Times are kept in a ring: the most recent ones exactly, the older ones not at all.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from testcard.mock_server.latency import QUANTILES, Latency

_KEPT = 100_000


class Times:
    """A bounded record of spans in seconds."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._kept = array("d")
        self.count = 0

    def add(self, seconds: float) -> None:
        if len(self._kept) < self._most:
            self._kept.append(seconds)
        else:
            self._kept[self.count % self._most] = seconds
        self.count += 1

    def describe(self) -> dict[str, Any]:
        """The count, and the order statistics of the times that are kept."""
        ordered = sorted(self._kept)
        told: dict[str, Any] = {"count": self.count}
        if ordered:
            told |= {name: round(order_statistic(ordered, share), 6) for name, share in QUANTILES.items()}
            told["max"] = round(ordered[-1], 6)
        return told


def order_statistic(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of the values does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Truth:
    """The model, and the times that came of it."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self.served = Times()
        """From having a free place to having the answer."""
        self.waited = Times()
        """In the queue for a free place."""

        self.answers: OrderedDict[str, float] = OrderedDict()
        """By request id, the most recent ones: from the head of the request to the answer handed to the system."""

    def answered(self, request_id: str, seconds: float) -> None:
        """Remember one answer."""
        self.answers[request_id] = seconds
        if len(self.answers) > _KEPT:
            self.answers.popitem(last=False)

    def describe(self) -> dict[str, Any]:
        """Seconds throughout."""
        model: dict[str, Any] = {name: self._latency.at(share) for name, share in QUANTILES.items()}
        if self._latency.factors:
            model["sizes"] = {
                size: {name: self._latency.at(share, size) for name, share in QUANTILES.items()}
                for size in self._latency.factors
            }
        return {"model": model, "served": self.served.describe(), "waited": self.waited.describe()}
