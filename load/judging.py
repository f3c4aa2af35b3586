"""Judges the answers of one worker, in a process of its own, so that no decoding delays a stamp.

A worker hands over its exchanges, stamps taken, through a pipe; here they are judged and become records in the
worker's file of answers. If the worker is killed, what it had handed over is judged all the same.

    python -m testcard.load.judging WORKER ARENA
"""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import replace

from testcard.conformance import Contract, judge, likeness
from testcard.core.exchange import CANCELLED, Exchange
from testcard.core.judgement import Judgement
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.runfile import redacted
from testcard.core.target import Keyring, header_secrets
from testcard.core.transcript import billed_images, echoes, may_hold_key, record_of, unkeyed
from testcard.core.wire import curl
from testcard.load.alike import Alike
from testcard.load.arena import Reading
from testcard.load.brief import Brief
from testcard.load.classify import classify
from testcard.load.ending import Ending
from testcard.load.exchanges import Exchanges
from testcard.load.handover import Delivery, Planned, deliveries
from testcard.load.journal import TOGETHER_S, Journal
from testcard.load.sampling import decoded_every

_NICENESS = 10  # the worker's stamps and the server come first


class Recorder:
    """Makes the record of each arrival. Remembers what earlier answers have shown.

    Args:
        every: of exchanges numbered one by one, each whose number this divides is judged in full.
    """

    def __init__(self, brief: Brief, worker: int, every: int) -> None:
        self._brief = brief
        self._worker = worker
        self._contract = Contract.of(brief.target)
        self._every = every
        self._keyring = Keyring(brief.target)
        self._keys = Redactor(self._keyring.values)
        self._redactor = Redactor((*self._keyring.values, *header_secrets(brief.target)))
        self._exchanges = Exchanges(brief, self._keyring, self._redactor)
        self._alike = Alike(self._redactor)
        self._shown: set[str] = set()

    def record(self, planned: Planned, exchange: Exchange, *, keyed: bool = True) -> Record:
        """The judged record of one arrival.

        Args:
            keyed: its answer may hold a key.
        """
        if keyed and exchange.response is not None:
            seen = echoes(exchange.response, self._keys)
            exchange = replace(exchange, secrets_seen=seen) if seen else exchange
            exchange = unkeyed(exchange, self._redactor)
        dropped = exchange.failure is not None and exchange.failure.kind == CANCELLED
        judgement = Judgement() if dropped else self._judged(exchange)  # what we broke off accuses nobody
        outcome = classify(exchange, judgement)
        usual = outcome in ("valid", CANCELLED) and not judgement.broken
        held = judgement.held
        new = () if self._shown.issuperset(held) else tuple(name for name in held if name not in self._shown)
        self._shown.update(new)
        record = record_of(
            exchange,
            judgement,
            redactor=self._redactor,
            phase=planned.phase,
            billed=billed_images(exchange),
            reproduce=None if usual else curl(exchange.request, self._brief.target, self._keyring),
            brief=usual,  # thousands are alike; what tells them apart is kept
            held=new,
            outcome=outcome,
            worker=self._worker,
            stage=planned.stage or None,
            size=planned.size,
        )
        return record if planned.client is None else replace(record, client=planned.client, attempt=planned.attempt)

    def take(self, delivery: Delivery) -> bytes:
        """The line of one arrival as a worker hands it over."""
        return self.line(delivery.planned, self._exchanges.of(delivery))

    def line(self, planned: Planned, exchange: Exchange) -> bytes:
        """The same as the parent reads it: the finished line of records.jsonl, with its ending in front."""
        keyed = may_hold_key(exchange, self._redactor)
        alike = None if keyed or self._in_full(exchange) else likeness(exchange, self._contract)
        if alike is not None and (line := self._alike.line(planned, alike, exchange)) is not None:
            return line
        record = self.record(planned, exchange, keyed=keyed)
        if alike is not None:
            self._alike.learn(planned, alike, record)
        given = exchange.response.header("x-request-id") if exchange.response else None
        return Ending.of(record, given).line(redacted(record, self._redactor))

    def _in_full(self, exchange: Exchange) -> bool:
        return exchange.number % self._every == 0

    def _judged(self, exchange: Exchange) -> Judgement:
        return judge(exchange, self._contract, full=self._in_full(exchange))


def main() -> None:
    brief = Brief.read()
    worker, shared = int(sys.argv[1]), int(sys.argv[2])
    os.nice(_NICENESS)
    arena = Reading(shared if shared >= 0 else None)
    recorder = Recorder(brief, worker, decoded_every(brief.plan))
    stream = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    with Journal(brief.answers(worker)) as journal:
        gc.collect()
        gc.freeze()
        journal.write({"ready": os.getpid()})
        records, complete, flushed = 0, False, 0.0
        for delivery in deliveries(stream, arena, journal.flush):
            if delivery is None:
                complete = True
                break
            journal.note(recorder.take(delivery))
            records += 1
            if (now := time.monotonic()) - flushed > TOGETHER_S:
                journal.flush()
                flushed = now
        journal.write({"footer": {"records": records, "complete": complete}})


if __name__ == "__main__":
    main()
