"""Driving the limited key over its limit, once: does the 429 come, when it should and no sooner; is it the key's own,
does it come at once, are Retry-After and the x-ratelimit headers true?
"""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.probe.burst import BEYOND, Burst, drive, latency_s, refusables, sent, span_s, turns
from testcard.conformance.probe.exact import EXACT, count, exact, exact_again
from testcard.conformance.probe.grant import GRANTED, granted
from testcard.conformance.probe.patience import HONEST, POSTPONED, TIGHT, Kept, keep_wait
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.probe.ratelimitheaders import HEADERS, headers
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.record import Finding
from testcard.core.runfile import Skip
from testcard.core.target import Limit

_ENFORCED, _PER_KEY, _AT_ONCE = "limit.enforced", "limit.per-key", "limit.refused-at-once"
_DETERMINISTIC = "error.deterministic"
_BY_CHANCE = (408, 409, 425, 429)
_ALWAYS = frozenset({_ENFORCED, "limit.retry-after", HONEST, _PER_KEY, GRANTED, _AT_ONCE})
_JUDGED = _ALWAYS | {EXACT, TIGHT, POSTPONED, HEADERS, _DETERMINISTIC}
_SLOWER_S = 1.0
"""How much slower than the slowest answer a refusal may be: a server has hiccups."""
_OTHERS = 6
"""Single requests: on the second key, a repeated refusal, and those that keep the wait."""


def _cost(session: Session) -> Cost:
    """A burst of bodies that cost nothing, one of pictures where those do not count, and a second burst where the
    first left a doubt.
    """
    limit = session.contract.target.limited
    if limit is None:
        return Cost(0, 0, 0.0)
    most = limit.requests + BEYOND
    return Cost(4 * most + BEYOND + _OTHERS, most, limit.window_s)


def _run(session: Session) -> None:
    """Send on the limited key until it refuses, then keep its word."""
    limit = session.contract.target.limited
    if limit is None:
        return
    burst = drive(session, limit)
    _deterministic(session, burst)
    refused = burst.refused
    if refused is None:
        _never_refused(session, burst)
        return
    plausible, counted = burst.plausible, count(burst)
    if plausible:
        _enforced(session, limit, burst.answers, held=True)
    above = counted is not None and counted.above(limit)
    if plausible and counted is not None and not above:
        exact(session, limit, counted)
    _at_once(session, burst, refused)
    headers(session, burst, refused)
    _per_key(session, refused)
    kept = keep_wait(session, burst, refused)
    if (above or not plausible) and _second_burst(session, burst, kept):
        return
    granted(session, burst, kept)


def _deterministic(session: Session, burst: Burst) -> None:
    """Whether the bodies of the burst, which are equal, were refused alike."""
    refused = [e for e in burst.answers if e.request.violations and 400 <= (e.status or 0) < 500]
    refused = [exchange for exchange in refused if exchange.status not in _BY_CHANCE]
    if len(refused) < 2:
        return
    other = next((exchange for exchange in refused if exchange.status != refused[0].status), None)
    session.find(
        Finding(
            _DETERMINISTIC,
            held=other is None,
            expected=f"{refused[0].status} again for the same body",
            actual=f"{other.status if other is not None else refused[0].status}",
            evidence=(refused[0].number, (other or refused[1]).number),
        )
    )


def _never_refused(session: Session, burst: Burst) -> None:
    """Whether more came, and faster, than any limiter of that limit lets through, or all that is over it gets another
    error than what is within it.
    """
    limit, answers = burst.limit, burst.answers
    pictures = [exchange for exchange in answers if exchange.succeeded and not exchange.request.violations]
    span = span_s(pictures)
    honest = max(limit.requests + limit.rate_per_s * span, limit.requests * (1 + turns(pictures, limit)))
    within, over = answers[: limit.requests], answers[limit.requests : limit.requests + BEYOND]
    usual = {exchange.status for exchange in within}
    well = all(status is not None and status < 500 for status in usual)
    by_error = well and bool(over) and all((e.status or 0) >= 400 and e.status not in usual for e in over)
    if by_error or len(pictures) > honest:
        _enforced(session, limit, answers, held=False)
    reason = f"no 429 came, and {len(pictures)} pictures in {span:.1f} s"
    for requirement in sorted(_ALWAYS):
        session.find(Skip(requirement, outcome.NOT_JUDGED, reason))


def _second_burst(session: Session, burst: Burst, kept: Kept) -> bool:
    """Whether more passed again than the limit allows: the first burst may have straddled two windows, and bodies that
    cost nothing may not count. Retry-After has brought us to the beginning of a window.

    Returns:
        Whether that is settled, so that the limit was granted as well.
    """
    if not kept.since:
        return False
    most = max(len(burst.passed), burst.limit.requests) + BEYOND
    second = refusables(session, burst.limit, start=len(burst.answers) + len(kept.since), most=most)
    answers = (*kept.since, *second.answers)
    if not second.answers or second.answers[-1].response is None:
        return False
    if second.refused is None and burst.by_picture:
        # So many bodies that cost nothing were let through that they cannot count: then the pictures do.
        _enforced(session, burst.limit, burst.answers, held=burst.pictures <= burst.most)
        return False
    right = second.refused is not None and len(kept.since) + len(second.passed) <= second.most
    _enforced(session, burst.limit, answers, held=right)
    if right:
        exact_again(session, burst, kept, second)
    session.find(Finding(GRANTED, held=True, evidence=(burst.passed[0].number,)))
    return True


def _enforced(session: Session, limit: Limit, answers: tuple[Exchange, ...], *, held: bool) -> None:
    session.find(
        Finding(
            _ENFORCED,
            held=held,
            expected=f"429 after {limit.requests} requests in {limit.window_s:g} s",
            actual=f"{len(answers)} requests, the last answered {answers[-1].status if answers else 'nothing'}",
            evidence=(answers[-1].number,) if answers else (),
        )
    )


def _at_once(session: Session, burst: Burst, refused: Exchange) -> None:
    """Compared with the slowest answer of the burst; one that was slow is given a second chance."""
    slowest = max(map(latency_s, burst.passed), default=0.0)
    bound = slowest + _SLOWER_S
    took = latency_s(refused)
    numbers = [refused.number]
    if took > bound:
        again = sent(session, case.refusable(session.asker, "limited", 0))
        if again.status != 429:
            return
        took = min(took, latency_s(again))
        numbers.append(again.number)
    session.find(
        Finding(
            _AT_ONCE,
            held=took <= bound,
            expected=f"a 429 within {bound:.2f} s: other answers took up to {slowest:.2f} s",
            actual=f"a 429 took {took:.2f} s",
            evidence=tuple(numbers),
        )
    )


def _per_key(session: Session, refused: Exchange) -> None:
    if session.unmet(_PER_KEY) is not None:
        return
    other = sent(session, case.refusable(session.asker, "second", 1))
    if other.response is None:
        return
    session.find(
        Finding(
            _PER_KEY,
            held=other.status != 429,
            expected="the second key is served while the limited one is refused",
            actual=f"{other.status} for the second key",
            evidence=(refused.number, other.number),
        )
    )


LIMIT = Probe(
    name="limit",
    requires=_ENFORCED,
    key="limited",
    judges=_JUDGED,
    gives=frozenset({"error.rate-limit", "error.retry-after-ms"}),
    cost=_cost,
    run=_run,
)
