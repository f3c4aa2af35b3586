"""Whether figures describe the server, or the generator."""

from __future__ import annotations

from testcard.core.quantile import quantile
from testcard.core.quantity import human_s
from testcard.load.generator import Generator
from testcard.load.plan import CLOSED, OPEN
from testcard.load.tally import Tally

OK = "ok"
LATE_S = 0.020
LATE_SHARE = 0.10
"""The generator is late when the slowest hundredth of its requests left later than planned by more than both
20 ms and 10 % of the median latency."""
BUSY_SHARE = 0.9
"""The generator is busy when a worker used more of its core than this; Locust warns at the same share."""


_REMEDY = {
    OPEN: "take more --processes, a lower --rate or a less busy machine",
    CLOSED: "take more --processes, fewer --clients or a less busy machine",
}


def validity(
    seen: Tally, generator: Generator | None, loop: str = OPEN, *, stage: str | None = None
) -> tuple[str, str | None]:
    """`ok` and None; or what was wrong with the generator, and the sentence that says so.

    Args:
        stage: the run that is meant, where there were several.
    """
    remedy = _REMEDY.get(loop, "take a less busy machine")
    if seen.starved:
        return "generator-busy", (
            f"this machine had no port, open file or memory left for {seen.starved:,} connections; take a lower "
            "--rate, or workers on several hosts"
        )
    if seen.lag:
        lag = quantile(sorted(seen.lag), 0.99)
        median = quantile(sorted(seen.latency), 0.5) if seen.latency else 0.0
        if lag > max(LATE_S, LATE_SHARE * median):
            return "generator-late", (
                f"the generator was late: a hundredth of its requests left {human_s(lag)} or more after their time; "
                f"{remedy}"
            )
    for worker in generator.workers if generator else ():
        own = stage is None or worker.stage in (None, stage)
        if own and worker.cpu_share is not None and worker.cpu_share > BUSY_SHARE:
            return "generator-busy", (
                f"the generator was short of CPU: worker {worker.worker} used {worker.cpu_share:.0%} of its core; "
                f"{remedy}"
            )
    return OK, None
