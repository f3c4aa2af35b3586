"""Puts together what workers and judges wrote, so that every planned arrival ends in exactly one record.

planned = sent + dropped, sent = answered + lost; nothing is counted that is not a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from testcard.core.record import Record
from testcard.load.brief import Brief
from testcard.load.generator import WorkerReport
from testcard.load.journal import Tail
from testcard.load.plan import CLOSED, Arrival

CAPPED = "the in-flight cap"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load has come, for whoever watches."""

    planned: int
    done: int = 0
    """Arrivals with an outcome."""
    valid: int = 0
    limited: int = 0
    failed: int = 0
    """Every other outcome of an arrival that was sent."""
    dropped: int = 0
    starts_in_s: float = 0.0
    """Above 0 while it waits for workers, or for the key's limit to have room."""


class WorkerWatch:
    """What one worker and its judge have written so far."""

    def __init__(self, brief: Brief, worker: int) -> None:
        self.worker = worker
        self.journal = Tail(brief.journal(worker))
        self.answers = Tail(brief.answers(worker))
        self.present = self.ready = self.judging = False
        self.report: WorkerReport | None = None
        self.judged: dict[str, Any] | None = None
        """The footer of the answers."""
        self.died = self.judge_died = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return (self.report is not None or self.died) and (self.judged is not None or self.judge_died)

    def look_after(self) -> None:
        """Find out whether one of the two has died."""
        if self.present and self.report is None:
            self.died = self.journal.abandoned()
        if self.judging and self.judged is None:
            self.judge_died = self.answers.abandoned()


class Collector:
    """The state of every planned arrival.

    Args:
        add: takes each record.
    """

    def __init__(self, brief: Brief, add: Callable[[Record], None]) -> None:
        self._brief = brief
        self._add = add
        self._arrivals = brief.plan.schedule()
        self._sent: dict[int, tuple[str, float]] = {}
        """Arrivals under way: wall-clock time and span of sending."""
        self._done = bytearray(len(self._arrivals))
        self.watches = [WorkerWatch(brief, worker) for worker in range(brief.plan.processes)]
        self.progress = Progress(planned=len(self._arrivals))
        self.billed = 0
        self.begins_s = 0.0
        """When the load starts, on the run's clock."""

    def read(self) -> int:
        """Take in what is new; returns how many lines that was."""
        lines = 0
        for watch in self.watches:
            for line in watch.journal.lines():
                self._take(watch, line)
                lines += 1
            for line in watch.answers.lines():
                self._take_answer(watch, line)
                lines += 1
        return lines

    def _take(self, watch: WorkerWatch, line: dict[str, Any]) -> None:
        if "sent" in line:
            if not self._done[line["sent"]]:  # the answer may have been read before
                self._sent[line["sent"]] = (line["at"], line["s"])
        elif "dropped" in line:
            self._drop(line["dropped"], f"not sent: {CAPPED} of {self._brief.plan.in_flight_cap} was reached")
        elif "present" in line:
            watch.present = True
        elif "ready" in line:
            watch.ready = True
        elif "footer" in line:
            watch.report = WorkerReport.from_json(line["footer"])

    def _take_answer(self, watch: WorkerWatch, line: dict[str, Any]) -> None:
        if "record" in line:
            record = Record.from_json(line["record"])
            index = record.number - self._brief.first_number
            self._sent.pop(index, None)
            self.billed += record.images
            self._finish(index, record)
        elif "ready" in line:
            watch.judging = True
        elif "footer" in line:
            watch.judged = line["footer"]

    def settle(self, *, stopped: bool) -> dict[int, tuple[int, int]]:
        """Give every arrival that is still open its record; returns (lost, never sent) by worker.

        Args:
            stopped: the run was stopped before its end; what was not sent then was not due, and gets no record.
        """
        short: dict[int, tuple[int, int]] = {}
        for index, done in enumerate(self._done):
            if done:
                continue
            worker = self._brief.plan.worker_of(index)
            lost, unsent = short.get(worker, (0, 0))
            if index in self._sent:
                at, sent_s = self._sent[index]
                why = "stopped while it was under way" if stopped else f"worker {worker} died before it had an answer"
                record = self._bare(self._arrivals[index], outcome="lost", failure=f"lost: {why}")
                self._finish(index, replace(record, at=at, sent_s=sent_s))
                short[worker] = lost + 1, unsent
            elif not stopped and self._brief.plan.loop != CLOSED:  # whose plan is only the most that there can be
                self._drop(index, f"not sent: worker {worker} died")
                short[worker] = lost, unsent + 1
        return short

    def _drop(self, index: int, reason: str) -> None:
        self._finish(index, self._bare(self._arrivals[index], outcome="dropped", failure=reason))

    def _bare(self, arrival: Arrival, *, outcome: str, failure: str) -> Record:
        plan, planned_s = self._brief.plan, self.begins_s + arrival.offset_s
        return Record(
            number=self._brief.first_number + arrival.index,
            case=f"load {plan.scenario}, arrival {arrival.index + 1}",
            phase=arrival.phase,
            at=datetime.fromtimestamp(self._brief.wall(planned_s), UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            method="POST",
            url=f"{self._brief.target.base_url}/images/generations",
            failure=failure,
            planned_s=round(planned_s, 6),
            outcome=outcome,
            worker=plan.worker_of(arrival.index),
            stage=arrival.stage or None,
            size=arrival.kind.size,
        )

    def _finish(self, index: int, record: Record) -> None:
        self._done[index] = 1
        self._add(record)
        seen, outcome = self.progress, record.outcome
        sent = outcome != "dropped"
        self.progress = replace(
            seen,
            done=seen.done + 1,
            valid=seen.valid + (outcome == "valid"),
            limited=seen.limited + (outcome == "limited"),
            failed=seen.failed + (sent and outcome not in ("valid", "limited", "cancelled")),
            dropped=seen.dropped + (not sent),
        )
