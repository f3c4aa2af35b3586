"""What the answers of a load said of their server's time, gathered beside what the client saw."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from testcard.core.quantile import quantiles
from testcard.core.record import Record
from testcard.core.servertiming import WHOLE, ServerMetric, ServerTiming, whole
from testcard.load.plan import MEASURED
from testcard.load.tally import GOOD, rounded

LONGEST = "the longest metric"
_MOST_NAMES = 100
_MOST_SHOWN = 8
_SLACK_S, _SLACK = 0.002, 0.01
"""By how much a server may claim more than the exchange took before that is worth a word: headers in whole
milliseconds, and clocks that run differently."""


class ServerTimes:
    """Takes the records of a load. Keeps eight bytes a figure, of 100 names at most."""

    def __init__(self) -> None:
        self._good = 0
        self._spans: dict[str, array[float]] = {}
        self._compared: dict[str, tuple[array[float], array[float]]] = {}
        """By what is compared: the service times, and what the server said."""

    def add(self, record: Record) -> None:
        if record.phase != MEASURED or record.outcome not in GOOD:
            return
        self._good += 1
        if not record.server_s or record.sent_s is None or record.last_byte_s is None:
            return
        for name, span in record.server_s.items():
            if name in self._spans or len(self._spans) < _MOST_NAMES or name.lower() in WHOLE:
                self._spans.setdefault(name, array("d")).append(span)
        name_of_all, span = whole(record.server_s)
        services, told = self._compared.setdefault(name_of_all or LONGEST, (array("d"), array("d")))
        services.append(record.last_byte_s - record.sent_s)
        told.append(span)

    def timing(self) -> ServerTiming | None:
        """What they say; None where no answer said anything."""
        if not self._compared:
            return None
        # One kind of figure at a time: a `total` and a single part are not the same thing.
        compared = max(self._compared, key=lambda name: (len(self._compared[name][0]), name in WHOLE))
        services, told = self._compared[compared]
        answers = sum(len(pair[0]) for pair in self._compared.values())
        frequent = sorted(self._spans.items(), key=lambda item: -len(item[1]))[:_MOST_SHOWN]
        return ServerTiming(
            answers=answers,
            share=self._share(answers),
            compared=compared,
            service_s=_figures(services),
            unaccounted_s=_figures([service - span for service, span in zip(services, told, strict=True)]),
            overclaimed=sum(
                span > service * (1 + _SLACK) + _SLACK_S
                for own, said in self._compared.values()
                for service, span in zip(own, said, strict=True)
            ),
            metrics=tuple(
                ServerMetric(name, len(spans), self._share(len(spans)), _figures(spans)) for name, spans in frequent
            ),
        )

    def _share(self, answers: int) -> float:
        return round(answers / self._good, 4)


def overclaiming(timing: ServerTiming | None) -> Iterator[str]:
    """What is to be known where a server's word cannot be of this exchange alone."""
    if timing is not None and timing.overclaimed:
        yield (
            f"In {timing.overclaimed:,} of {timing.answers:,} answers the server claims more time than the whole "
            "exchange took, so its headers count something else as well, or by another clock; mind what it says of "
            "its time."
        )


def _figures(spans: Sequence[float]) -> dict[str, float]:
    values = quantiles(spans)
    return rounded({name: values[name] for name in ("p50", "p95", "max")})
