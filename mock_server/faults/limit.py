"""Faults of the rate limit and of what its refusals promise."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from testcard.mock_server.account import Account
from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.faults.shape import errors, where
from testcard.mock_server.limiter import Admission, Limiter
from testcard.mock_server.message import Answer, Call

Accounts = dict[str, Account]
_TOO_MANY = 2


@dataclass(frozen=True, slots=True)
class _Liar:
    """A limiter in front of the honest one."""

    original: Limiter

    def release(self) -> None:
        self.original.release()


class _Unlimited(_Liar):
    """Counts as its original does, and admits everything."""

    def admit(self, now: float) -> Admission:
        return replace(self.original.admit(now), admitted=True, wait_s=0.0)


@dataclass(frozen=True, slots=True)
class _Doubled(_Liar):
    """Lets every second request through uncounted."""

    seen: list[Admission]

    def admit(self, now: float) -> Admission:
        last = self.seen.pop() if self.seen else None
        if last is not None and last.admitted:
            return last
        admission = self.original.admit(now)
        self.seen.append(admission)
        return admission


@dataclass(frozen=True, slots=True)
class _Generous(_Liar):
    """Overlooks two refusals, and two more after each wait."""

    overlooked: list[float]

    def admit(self, now: float) -> Admission:
        admission = self.original.admit(now)
        if admission.admitted:
            return admission
        while self.overlooked and self.overlooked[0] <= now:
            self.overlooked.pop(0)
        if len(self.overlooked) >= _TOO_MANY:
            return admission
        self.overlooked.append(now + admission.wait_s)
        return replace(admission, admitted=True, wait_s=0.0)


@dataclass(slots=True)
class _Until:
    """Until when everyone is refused."""

    moment: float = -math.inf


@dataclass(frozen=True, slots=True)
class _Shared(_Liar):
    """Refuses everyone while anyone is over its limit."""

    until: _Until

    def admit(self, now: float) -> Admission:
        admission = self.original.admit(now)
        if not admission.admitted:
            self.until.moment = max(self.until.moment, now + admission.wait_s)
        elif now < self.until.moment:
            return replace(admission, admitted=False, wait_s=self.until.moment - now)
        return admission


class _Halved(_Liar):
    """Counts every request twice."""

    def admit(self, now: float) -> Admission:
        admission = self.original.admit(now)
        return self.original.admit(now) if admission.admitted and self._second(admission) else admission

    @staticmethod
    def _second(admission: Admission) -> bool:
        return admission.remaining > 0


@dataclass(frozen=True, slots=True)
class _Forgetful(_Liar):
    """Is over its refusal in a third of the time that the refusal names."""

    until: _Until

    def admit(self, now: float) -> Admission:
        admission = self.original.admit(now)
        if admission.admitted:
            return admission
        if now >= self.until.moment > -math.inf:
            return replace(admission, admitted=True, wait_s=0.0)
        if self.until.moment == -math.inf:
            self.until.moment = now + admission.wait_s / 3
        return admission


@dataclass(frozen=True, slots=True)
class _Unforgiving(_Liar):
    """Begins its wait anew with every refused request."""

    until: _Until
    spans: list[float]

    def admit(self, now: float) -> Admission:
        if now < self.until.moment:
            self.until.moment = now + self.spans[-1]
            return replace(self.original.admit(now), admitted=False, wait_s=self.spans[-1])
        admission = self.original.admit(now)
        if not admission.admitted:
            self.until.moment = now + admission.wait_s
            self.spans.append(admission.wait_s)
        return admission


_SLOW_S = 2.0


async def _slowly(answer: Answer, _: Call) -> Answer:
    if answer.status == 429:
        await asyncio.sleep(_SLOW_S)
    return answer


def _limiters(change: Callable[[Limiter], Limiter]) -> Callable[[Accounts, None], Accounts]:
    return lambda accounts, _: {
        key: replace(account, limiter=change(account.limiter)) for key, account in accounts.items()
    }


def _global(accounts: Accounts, _: None) -> Accounts:
    until = _Until()
    return _limiters(lambda limiter: _Shared(limiter, until))(accounts, None)


def _promised(value: Callable[[int], str | None]) -> dict[str, Any]:
    """Another Retry-After on every 429, made from the honest one."""

    def change(answer: Answer) -> Answer:
        honest = answer.header("retry-after")
        return answer if honest is None else answer.with_headers({"Retry-After": value(int(honest))})

    return {"answer": errors(change, 429)}


def _yesterday(_: int) -> str:
    return format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)


def _counted(name: str, value: Callable[[int], int]) -> dict[str, Any]:
    """Another x-ratelimit header wherever it stands."""
    line = f"x-ratelimit-{name}-requests"
    return {
        "answer": where(
            lambda answer, _: answer.header(line) is not None,
            lambda answer: answer.with_headers({line: str(value(int(answer.header(line) or "0")))}),
        )
    }


def _as_503(answer: Answer) -> Answer:
    error = {"message": "The service is busy.", "type": "service_unavailable"}
    return replace(answer, status=503, document={"error": error})


def _row(requirement: str, name: str, describe: str, **stages: Any) -> Fault:
    return Fault(name=name, breaks=(f"limit.{requirement}",), describe=describe, **stages)


FAULTS = (
    _row("enforced", "limit-ignored", "No request is ever too many.", accounts=_limiters(_Unlimited)),
    _row(
        "enforced",
        "limit-doubled",
        "Twice as many requests as declared are let through.",
        accounts=_limiters(lambda limiter: _Doubled(limiter, [])),
    ),
    _row(
        "exact",
        "limit-and-two",
        "Two requests more than declared are let through.",
        accounts=_limiters(lambda limiter: _Generous(limiter, [])),
    ),
    _row("enforced", "limit-503", "Over the limit comes a 503.", answer=errors(_as_503, 429)),
    _row(
        "enforced",
        "limit-empty-200",
        "Over the limit comes a 200 without pictures.",
        answer=errors(lambda answer: replace(answer, status=200, document={"created": 0, "data": []}), 429),
    ),
    _row(
        "granted",
        "limit-halved",
        "The limit is used up by half as many requests as declared: each counts twice.",
        accounts=_limiters(_Halved),
    ),
    _row("refused-at-once", "limit-slow-429", "A 429 takes 2 s.", hold=_slowly),
    _row("retry-after", "retry-after-missing", "A 429 carries no Retry-After.", **_promised(lambda _: None)),
    _row(
        "retry-after",
        "retry-after-ms",
        "Retry-After counts milliseconds.",
        **_promised(lambda honest: str(honest * 1000)),
    ),
    _row(
        "retry-after",
        "retry-after-float",
        "Retry-After is a fraction.",
        **_promised(lambda honest: f"{honest}.5"),
    ),
    _row("retry-after", "retry-after-zero", "Retry-After is 0.", **_promised(lambda _: "0")),
    _row(
        "retry-after",
        "retry-after-negative",
        "Retry-After is negative.",
        **_promised(lambda honest: str(-honest)),
    ),
    _row("retry-after", "retry-after-past", "Retry-After is a date that has passed.", **_promised(_yesterday)),
    _row(
        "retry-after",
        "retry-after-words",
        "Retry-After is a span with a unit.",
        **_promised(lambda honest: f"{honest}s"),
    ),
    _row(
        "retry-after-honest",
        "retry-after-early",
        "Retry-After is a quarter of the truth.",
        **_promised(lambda honest: str(math.ceil(honest / 4))),
    ),
    _row(
        "retry-after-honest",
        "retry-after-constant",
        "Retry-After is 1, whatever the truth.",
        **_promised(lambda _: "1"),
    ),
    _row(
        "retry-after-tight",
        "retry-after-late",
        "Retry-After is three times the truth: requests are let through long before.",
        accounts=_limiters(lambda limiter: _Forgetful(limiter, _Until())),
    ),
    _row(
        "refusals-free",
        "refusals-postpone",
        "With every refused request the wait begins anew.",
        accounts=_limiters(lambda limiter: _Unforgiving(limiter, _Until(), [])),
    ),
    _row("per-key", "limit-global", "While one key is over its limit, every key is refused.", accounts=_global),
    _row(
        "headers",
        "ratelimit-headers-wrong",
        "x-ratelimit-remaining-requests is above the limit.",
        **_counted("remaining", lambda remaining: remaining + 1_000_000),
    ),
    _row(
        "headers",
        "ratelimit-reset-negative",
        "x-ratelimit-reset-requests is negative.",
        **_counted("reset", lambda reset: -1 - reset),
    ),
    _row(
        "headers-true",
        "ratelimit-limit-other",
        "x-ratelimit-limit-requests is another than the key's.",
        **_counted("limit", lambda limit: limit * 6),
    ),
    _row(
        "headers-true",
        "ratelimit-remaining-constant",
        "x-ratelimit-remaining-requests never falls.",
        **_counted("remaining", lambda _: 9),
    ),
    _row(
        "headers-true",
        "ratelimit-reset-ms",
        "x-ratelimit-reset-requests counts milliseconds.",
        **_counted("reset", lambda reset: reset * 1000),
    ),
)
