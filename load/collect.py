"""Puts together what workers and judges wrote, so that every planned arrival ends in exactly one record.

planned = sent + dropped, sent = answered + lost; nothing is counted that is not a record.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from testcard.core.record import Record
from testcard.load.brief import Brief
from testcard.load.ending import Ending, parse
from testcard.load.generator import WorkerReport
from testcard.load.journal import Tail
from testcard.load.payload import case_of
from testcard.load.plan import Arrival

CAPPED = "the in-flight cap"
_MOST_TOGETHER = 500


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
    awaited: int = 0
    """Workers of a cluster that have not come yet."""


class WorkerWatch:
    """What one worker and its judge have written so far."""

    def __init__(self, brief: Brief, worker: int) -> None:
        self.worker = worker
        self.journal = Tail(brief.journal(worker))
        self.answers = Tail(brief.answers(worker))
        self.cap = brief.plan.worker_cap(worker)
        """How many arrivals it lets be under way at once."""
        self.present = self.ready = self.judging = False
        self.report: WorkerReport | None = None
        self.judged: dict[str, Any] | None = None
        """The footer of the answers."""
        self.died = self.judge_died = False
        self.host: str | None = None
        """Of a cluster: where it is; and how well its clock is aligned with ours, at worst."""
        self.clock_uncertainty_s: float | None = None

    @property
    def name(self) -> str:
        """Its number, and its host where that is another."""
        return str(self.worker) if self.host is None else f"{self.worker} on {self.host}"

    @property
    def end(self) -> str:
        """How it ended before its end."""
        if self.died or self.report is None:
            return f"Worker {self.name} died"
        return f"The judging process of worker {self.name} died" if self.judge_died else f"Worker {self.name} stopped"

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return (self.report is not None or self.died) and (self.judged is not None or self.judge_died)

    @property
    def gone(self) -> bool:
        """Whether both have closed their files."""
        return self.journal.abandoned() and self.answers.abandoned()

    def look_after(self) -> None:
        """Find out whether one of the two has died."""
        if self.present and self.report is None:
            self.died = self.journal.abandoned()
        if self.judging and self.judged is None:
            self.judge_died = self.answers.abandoned()


class Collector:
    """The state of every planned arrival.

    Args:
        add: takes each record that nobody judged: dropped or lost.
        pass_on: takes the judged ones, as endings and as lines of records.jsonl.
    """

    def __init__(
        self,
        brief: Brief,
        *,
        add: Callable[[Record], None],
        pass_on: Callable[[Sequence[Ending], Sequence[bytes]], None],
    ) -> None:
        self._brief = brief
        self._add = add
        self._pass_on = pass_on
        self._sent: dict[int, float] = {}
        """Arrivals under way: the span of sending."""
        self._done = bytearray(brief.plan.count)
        self.watches = [WorkerWatch(brief, worker) for worker in range(brief.plan.processes)]
        self._count = Counter[str]()
        self.billed = 0
        self.begins_s = 0.0
        """When the load starts, on the run's clock."""

    @property
    def progress(self) -> Progress:
        """How far it is."""
        count, done = self._count, self._count.total()
        valid, limited, dropped = count["valid"], count["limited"], count["dropped"]
        failed = done - valid - limited - dropped - count["cancelled"]
        return Progress(len(self._done), done, valid, limited, failed, dropped)

    def read(self) -> int:
        """Take in what is new; returns how many lines that was."""
        lines = 0
        for watch in self.watches:
            for line in watch.journal.lines():
                self._take(watch, line)
                lines += 1
            lines += self._read_answers(watch)
        return lines

    def _read_answers(self, watch: WorkerWatch) -> int:
        lines, endings, records = 0, [], []
        for line in watch.answers.lines():
            lines += 1
            if not line.startswith(b"["):
                self._take_notice(watch, json.loads(line))
                continue
            ending, record = parse(line)
            endings.append(ending)
            records.append(record)
            if len(endings) >= _MOST_TOGETHER:
                self._take_answers(endings, records)
                endings, records = [], []
        self._take_answers(endings, records)
        return lines

    def _take(self, watch: WorkerWatch, text: bytes) -> None:
        line = json.loads(text)
        if "sent" in line:
            self._sent.update((index, sent_s) for index, sent_s in line["sent"] if not self._done[index])  # or answered
            for index in line["dropped"]:
                self._drop(index, f"not sent: {CAPPED} of {watch.cap} was reached")
        elif "present" in line:
            watch.present = True
            watch.host, watch.clock_uncertainty_s = line.get("host"), line.get("clock_uncertainty_s")
        elif "ready" in line:
            watch.ready, watch.cap = True, line["cap"]
        elif "footer" in line:
            watch.report = WorkerReport.from_json(line["footer"])

    def _take_answers(self, endings: Sequence[Ending], records: Sequence[bytes]) -> None:
        if not endings:
            return
        for ending in endings:
            index = ending.number - self._brief.first_number
            self._sent.pop(index, None)
            self.billed += ending.images
            self._finish(index, ending.outcome)
        self._pass_on(endings, records)

    def _take_notice(self, watch: WorkerWatch, line: dict[str, Any]) -> None:
        if "ready" in line:
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
                sent_s = self._sent[index]
                why = "stopped while it was under way" if stopped else f"worker {worker} died before it had an answer"
                self._end(index, outcome="lost", failure=f"lost: {why}", sent_s=sent_s)
                short[worker] = lost + 1, unsent
            elif not stopped and not self._brief.plan.at_most:
                self._drop(index, f"not sent: worker {worker} died")
                short[worker] = lost, unsent + 1
        return short

    def _drop(self, index: int, reason: str) -> None:
        self._end(index, outcome="dropped", failure=reason)

    @cached_property
    def _arrivals(self) -> list[Arrival]:
        return self._brief.plan.schedule()  # made only where it is needed: a run may have a million

    def _end(self, index: int, *, outcome: str, failure: str, sent_s: float | None = None) -> None:
        """The record of an arrival that no judge has seen."""
        plan, arrival = self._brief.plan, self._arrivals[index]
        if sent_s is not None and plan.at_most:  # it was due when its client came to ask
            arrival = replace(arrival, offset_s=sent_s - self.begins_s)
            if arrival.client is None:
                stage = plan.stage_at(arrival.offset_s)
                arrival = replace(arrival, phase=stage.phase, stage=stage.name)
        planned_s = self.begins_s + arrival.offset_s
        moment = datetime.fromtimestamp(self._brief.wall(planned_s if sent_s is None else sent_s), UTC)
        record = Record(
            number=self._brief.first_number + arrival.index,
            case=case_of(plan.scenario, arrival.index, arrival.stage, arrival.client, arrival.attempt),
            phase=arrival.phase,
            at=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            method="POST",
            url=f"{self._brief.target.base_url}/images/generations",
            failure=failure,
            planned_s=round(planned_s, 6),
            sent_s=sent_s,
            outcome=outcome,
            worker=plan.worker_of(arrival.index),
            stage=arrival.stage or None,
            size=arrival.kind.size,
            client=arrival.client,
            attempt=arrival.attempt,
        )
        self._finish(index, outcome)
        self._add(record)

    def _finish(self, index: int, outcome: str) -> None:
        self._done[index] = 1
        self._count[outcome] += 1
