"""Drives one key over its limit: the identification's own probes first, then waits that are kept as promised.

Every request goes through the one Sender, is judged and recorded like any other; what a wave is for stands in the
`stage` of its records, and when it was due in `planned_s`, so that everything can be concluded from the file again.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from testcard.conformance import case
from testcard.conformance.case import Asker
from testcard.conformance.contract import Contract
from testcard.conformance.judge import judge
from testcard.core.budget import Budget
from testcard.core.errors import NotJudged
from testcard.core.exchange import Exchange, Request
from testcard.core.judgement import Judgement
from testcard.core.record import Finding, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import RunWriter, Skip
from testcard.core.send import Sender
from testcard.core.target import ROLES, Keyring, Target
from testcard.load.classify import classify
from testcard.load.collect import Progress
from testcard.load.limitlab.findings import findings
from testcard.load.limitlab.plan import IDENTIFY, KEEP, RESTS, SCOPE, USE_UP, USED_UP, WAITS, LimitPlan
from testcard.load.limitlab.reading import TOLD, observations, observed, promised_s
from testcard.load.limitlab.replay import read
from testcard.load.limitlab.standin import LIMITED, answer, as_refusals, stand_in
from testcard.load.plan import MEASURED, LoadPlan
from testcard.load.ratelimit import Bounds, Identification

_AT_ONCE = 64
_ENOUGH = 2.5
"""Times the declared limit: when as many refused bodies passed, they do not count."""
_JUST_AFTER_S = 1.0
"""How long after its end a wait is tested: the header speaks in whole seconds."""
_HALF_FROM_S = 2.0
_LONGER_S = 5.0
"""Waits are kept up to twice the window and so much more: longer ones are no honest limiter's."""
_DEAF = 3
"""Waves without any answer to learn from, after which it ends."""
_PATIENT = 3.0
"""Windows after which what stood in for a 429 would have passed over, and is taken for an outage."""


class Laboratory:
    """One investigation while it goes on."""

    def __init__(
        self,
        plan: LoadPlan,
        limit: LimitPlan,
        target: Target,
        keyring: Keyring,
        *,
        writer: RunWriter,
        redactor: Redactor,
        budget: Budget,
        started: float,
        first_number: int = 1,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._plan, self._limit, self._keyring = plan, limit, keyring
        self._contract = Contract.of(target)
        self._asker = Asker(self._contract, plan.seed, roles=filter(keyring.get, ROLES))
        self._writer, self._on_progress, self._started = writer, on_progress, started
        self._progress = Progress(planned=plan.count)
        self._lock = threading.Lock()
        self._outcomes: dict[int, str] = {}
        self._stage, self._due = IDENTIFY, 0.0
        self._opening = False
        self._asked = 0
        self._billable = False
        self._scoped = False
        self._seen: list[Record] = []
        self._instead: str | None = None
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="limit")
        self._sender = Sender(
            target,
            keyring,
            judge=self._judge,
            sink=self,
            budget=budget,
            redactor=redactor,
            started=started,
            first_number=first_number,
        )

    def run(self) -> None:
        """Investigate, within the plan's bounds.

        Raises:
            NotJudged: the key opens nothing, or nothing answers.
            BudgetExhausted: the images are used up; what was seen is recorded.
        """
        try:
            self._keep_waits(self._identify())
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._sender.close()
            for finding in self._findings():
                self._writer.add(finding)

    def _findings(self) -> Iterator[Finding | Skip]:
        seen = read(self._seen, self._limit, self._plan.seed)
        return findings(seen, self._limit, self._contract.dialect.name)

    # The sink of the sender: every record passes here.

    def add(self, record: Record) -> None:
        with self._lock:
            outcome = self._outcomes.pop(record.number, "broken")
            stage = USED_UP if self._opening and outcome == LIMITED else self._stage
            record = replace(record, phase=MEASURED, stage=stage, planned_s=self._due, outcome=outcome)
            self._writer.add(record)
            self._seen.append(record)
            self._progress = replace(
                self._progress,
                done=self._progress.done + 1,
                valid=self._progress.valid + (record.outcome == "valid"),
                limited=self._progress.limited + (record.outcome == "limited"),
                failed=self._progress.failed + (record.outcome not in ("valid", "limited", "refused")),
            )
            progress = self._progress
        if self._on_progress is not None:
            self._on_progress(progress)

    def _judge(self, exchange: Exchange) -> Judgement:
        judgement = judge(exchange, self._contract)
        with self._lock:
            self._outcomes[exchange.number] = classify(exchange, judgement)
        return judgement

    # What it does, in this order.

    def _identify(self) -> Identification:
        began = self._open()
        identification, deaf = self._replayed(began), 0
        while deaf < _DEAF and (probe := identification.next(self._now())) is not None:
            wave = self._wave(IDENTIFY, probe.count, probe.at_s, billable=self._billable)
            if self._reread():
                identification = self._replayed(began)
            elif found := observations(self._as_seen(wave)):
                identification.add(found)
            deaf = 0 if self._heard(wave) else deaf + 1
            if any(one.outcome == LIMITED for one in self._as_seen(wave)):
                self._look_at_second_key()
            elif not self._billable and self._bodies_are_free():
                self._billable = True
                time.sleep(self._limit.window_s)  # should they count after all, they are forgotten by then
                began = self._now()
                identification = self._replayed(began)
        self._require_answers(deaf)
        return identification

    def _open(self) -> float:
        """Ask for a first picture, rested where somebody used the limit up before; returns when it was asked for."""
        for rests_left in reversed(range(RESTS + 1)):
            began = self._now()
            self._opening = rests_left > 0
            first = self._wave(IDENTIFY, 1, began, billable=True)[0]
            self._opening = False
            self._require_open(first)
            if first.stage != USED_UP:
                break
            time.sleep(min(max(self._limit.window_s, promised_s(first) or 0.0), self._longest_s) + _JUST_AFTER_S)
        return began

    @property
    def _longest_s(self) -> float:
        """The longest wait that is kept."""
        return 2 * self._limit.window_s + _LONGER_S

    def _replayed(self, began: float) -> Identification:
        """The identification of what was seen so far; where pictures are asked for, of pictures alone."""
        bounds = Bounds(self._limit.most_requests, self._limit.most_s)
        identification = Identification(self._limit.limit, bounds, seed=self._plan.seed)
        identification.next(began)
        seen = self._as_seen(self._seen)
        for wave in observed([one for one in seen if not (self._billable and one.violates)]):
            identification.add(wave)
        return identification

    def _reread(self) -> bool:
        """Whether another answer than before stands in for the 429."""
        before, self._instead = self._instead, stand_in(self._seen, self._limit.requests)
        return before != self._instead

    def _as_seen(self, records: Sequence[Record]) -> list[Record]:
        return as_refusals(records, self._instead)

    def _heard(self, wave: Sequence[Record]) -> bool:
        """Whether anything told something of the limiter; what may stand in for a 429 does so only for a while."""
        if any(one.outcome in TOLD for one in wave):
            return True
        last = max((one.planned_s for one in self._seen if one.outcome in TOLD), default=0.0)
        return self._instead is not None and self._now() - last < _PATIENT * self._limit.window_s

    def _bodies_are_free(self) -> bool:
        bodies = [one for one in self._as_seen(self._seen) if one.stage == IDENTIFY and one.violates]
        passed = sum(one.outcome == "refused" for one in bodies)
        return passed >= _ENOUGH * self._limit.requests and not any(one.outcome == LIMITED for one in bodies)

    def _keep_waits(self, identification: Identification) -> None:
        """Rest, use the limit up, wait as the refusal says, ask a second later; the second time also half way.

        After a window's rest the wait is a long one, and nothing from before blurs it.
        """
        if not self._refused():
            return
        fitted = identification.verdict()
        part = fitted.burst or fitted.limit
        room = self._limit.requests if part is None else math.ceil(part.value)
        size = max(1, min(room, 2 * self._limit.requests)) + 1
        for number in range(WAITS):
            refused = self._use_up(size)
            wait = promised_s(refused) if refused is not None else None
            if refused is None or refused.last_byte_s is None or wait is None:
                return
            if not 0 < wait <= self._longest_s:
                return
            if number and wait >= _HALF_FROM_S:
                # As many as the limit: should refusals count, they use it up once more. Of pictures one is enough.
                count = 1 if self._billable else self._limit.requests
                self._wave(KEEP, count, refused.last_byte_s + wait / 2, billable=self._billable)
            self._wave(KEEP, 1, refused.last_byte_s + wait + _JUST_AFTER_S, billable=self._billable)

    def _use_up(self, size: int) -> Record | None:
        """The last refusal of as many requests as it takes, a window after the last one; None where none comes."""
        due = self._now() + self._limit.window_s
        for count in (size, USE_UP - 1 + 2 * self._limit.requests - size, 1):
            wave = self._as_seen(self._wave(KEEP, max(1, count), due, billable=self._billable))
            self._require_answers(0 if self._heard(wave) else _DEAF)
            refused = [one for one in wave if one.outcome == LIMITED]
            if refused:
                return max(refused, key=lambda one: one.last_byte_s or 0.0)
            due = self._now()
        return None

    def _look_at_second_key(self) -> None:
        if not self._scoped and self._keyring.get("second") is not None:
            self._scoped = True
            self._wave(SCOPE, 1, self._now(), key="second", billable=False)

    def _wave(self, stage: str, count: int, due_s: float, *, key: str | None = None, billable: bool) -> list[Record]:
        """Send requests together, at their time; returns when all are answered."""
        pause = due_s - self._now()
        if pause > 0:
            time.sleep(pause)
        with self._lock:
            self._stage, self._due = stage, round(max(due_s, self._now()), 6)
        requests = [self._request(key or self._limit.key, billable=billable) for _ in range(count)]
        numbers = {exchange.number for exchange in self._pool.map(self._sender.send, requests)}
        with self._lock:
            return [record for record in self._seen if record.number in numbers]

    def _request(self, key: str, *, billable: bool) -> Request:
        self._asked += 1
        return (case.billable if billable else case.refusable)(self._asker, key, self._asked)

    def _refused(self) -> bool:
        with self._lock:
            return any(record.outcome == LIMITED for record in self._as_seen(self._seen) if record.stage == IDENTIFY)

    def _require_open(self, first: Record) -> None:
        if first.status is None:
            raise NotJudged(f"{self._limit.key} key: the first request was not answered: {first.failure}")
        if first.status in (401, 402, 403, 404):
            raise NotJudged(
                f"the {self._limit.key} key was answered {first.status}: it opens nothing, so its limit "
                f"cannot be seen; check {self._keyring.variable(self._limit.key)}"
            )

    def _require_answers(self, deaf: int) -> None:
        if deaf < _DEAF:
            return
        last = self._seen[-1]
        raise NotJudged(
            f"the limit could not be looked at to its end: after {len(self._seen)} requests came {answer(last)}, and "
            "nothing that tells of a limit any more; see whether the server is well, and ask again"
        )

    def _now(self) -> float:
        return time.monotonic() - self._started
