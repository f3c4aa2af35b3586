"""What became of a crowd, from its attempts alone: simulated or real."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from testcard.core.crowd import CrowdFigures
from testcard.core.quantile import quantile
from testcard.core.quantity import human_s
from testcard.load.crowd.attempt import Attempt
from testcard.load.crowd.policy import Policy

_PEAK_S = 1.0


def figures(
    policy: Policy,
    clients: int,
    span_s: float,
    attempts: Iterable[Attempt],
    *,
    against: str | None = None,
    cut_off: bool = False,
) -> CrowdFigures:
    """The figures of one crowd.

    Args:
        clients: how many wanted a picture; one without an attempt failed.
        against: the kind of limiter, where they were simulated.
        cut_off: the run ended before the clients did.
    """
    told = sorted(attempts, key=lambda attempt: (attempt.due_s, attempt.number))
    first: dict[int, float] = {}
    content: dict[int, float] = {}
    for attempt in told:
        first.setdefault(attempt.client, attempt.due_s)
        if attempt.content and attempt.answered_s is not None:
            content[attempt.client] = attempt.answered_s
    latency = sorted(end - first[client] for client, end in content.items())
    begin = min(first.values(), default=0.0)
    last = max(content.values()) - begin if content else None
    retries = [attempt.due_s for attempt in told if attempt.number > 1]
    sent = [attempt for attempt in told if attempt.outcome != "dropped"]
    found = CrowdFigures(
        policy=policy.name,
        clients=clients,
        span_s=span_s,
        succeeded=len(content),
        failed=clients - len(content),
        success_share=round(len(content) / clients, 4),
        attempts=len(sent),
        admitted=sum(attempt.content for attempt in sent),
        limited=sum(attempt.outcome == "limited" for attempt in sent),
        attempts_per_success=round(len(sent) / len(content), 4) if content else None,
        peak_retries_per_s=_peak(retries),
        last_served_s=_rounded(last),
        all_served_s=_rounded(last) if len(content) == clients else None,
        latency_mean_s=_rounded(fmean(latency)) if latency else None,
        latency_p50_s=_rounded(quantile(latency, 0.5)) if latency else None,
        latency_max_s=_rounded(latency[-1]) if latency else None,
        against=against,
        cut_off=cut_off,
        longest_attempts=max((attempt.number for attempt in told), default=0),
    )
    return replace(found, sentence=_sentence(found))


def _peak(times: list[float]) -> int:
    """The most of the ascending times that lie within any one second."""
    return max((index + 1 - bisect_left(times, at - _PEAK_S) for index, at in enumerate(times)), default=0)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _sentence(found: CrowdFigures) -> str:
    """What these users lived through."""
    who = f"Of {found.clients} {found.policy} clients that ask within {human_s(found.span_s)}"
    if found.cut_off:
        return f"{who}, {found.succeeded} had a picture and {found.failed} had none when the run was cut off."
    if found.last_served_s is None or found.latency_p50_s is None:
        return f"{who}, none gets a picture: each is left with an error after {_attempts(found.longest_attempts)}."
    half = "at once" if found.latency_p50_s == 0 else f"within {human_s(found.latency_p50_s)}"
    last = human_s(found.last_served_s)
    if not found.failed:
        served = f"all get a picture, half of them {half}, the last after {last}"
    else:
        left = f"{found.failed} {'is' if found.failed == 1 else 'are'}"
        served = (
            f"{found.succeeded} get a picture, half of those {half}, the last after {last}, and "
            f"{left} left with an error after up to {_attempts(found.longest_attempts)}"
        )
    herd = f"; up to {found.peak_retries_per_s} ask again in the same second" if found.peak_retries_per_s > 1 else ""
    return f"{who}, {served}{herd}."


def _attempts(count: int) -> str:
    return f"{count} attempt" + ("s" if count != 1 else "")
