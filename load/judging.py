"""Judges the answers of one worker, in a process of its own, so that no decoding delays a stamp.

A worker hands over its exchanges, stamps taken, through a pipe; here they are judged and become records in the
worker's file of answers. If the worker is killed, what it had handed over is judged all the same.

    python -m testcard.load.judging WORKER
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

from testcard.conformance import Contract, judge
from testcard.core.exchange import CANCELLED, Exchange
from testcard.core.judgement import Judgement
from testcard.core.record import Record
from testcard.core.redact import Redactor
from testcard.core.target import Keyring, header_secrets
from testcard.core.transcript import billed_images, echoes, record_of, unkeyed
from testcard.core.wire import curl
from testcard.load.brief import Brief
from testcard.load.classify import classify
from testcard.load.handover import messages
from testcard.load.journal import Journal
from testcard.load.plan import Arrival

_NICENESS = 10  # the worker's stamps and the server come first


class Recorder:
    """Makes the record of each arrival. Remembers what earlier answers have shown."""

    def __init__(self, brief: Brief, worker: int, judge_one: Callable[[Exchange], Judgement]) -> None:
        self._brief = brief
        self._worker = worker
        self._judge = judge_one
        self._keyring = Keyring(brief.target)
        self._redactor = Redactor((*self._keyring.values, *header_secrets(brief.target)))
        self._shown: set[str] = set()

    def record(self, arrival: Arrival, exchange: Exchange) -> Record:
        """The judged record of one arrival."""
        if exchange.response is not None:
            exchange = replace(exchange, secrets_seen=echoes(exchange.response, self._keyring.values))
        exchange = unkeyed(exchange, self._redactor)
        dropped = exchange.failure is not None and exchange.failure.kind == CANCELLED
        judgement = Judgement() if dropped else self._judge(exchange)  # what we broke off accuses nobody
        outcome = classify(exchange, judgement)
        record = record_of(
            exchange,
            judgement,
            redactor=self._redactor,
            phase=arrival.phase,
            billed=billed_images(exchange),
            reproduce=curl(exchange.request, self._brief.target, self._keyring),
        )
        new = tuple(name for name in record.held if name not in self._shown)
        self._shown.update(new)
        record = replace(
            record, held=new, outcome=outcome, worker=self._worker, stage=arrival.stage or None, size=arrival.kind.size
        )
        if outcome in ("valid", CANCELLED) and not record.broken:
            # Thousands are alike; what tells them apart is kept.
            record = replace(record, headers=(), request_headers=(), request_body=None, reproduce=None)
        return record


def main() -> None:
    brief = Brief.read()
    worker = int(sys.argv[1])
    os.nice(_NICENESS)
    contract = Contract.of(brief.target)
    recorder = Recorder(brief, worker, lambda exchange: judge(exchange, contract))
    with Journal(brief.answers(worker)) as journal:
        journal.write({"ready": os.getpid()})
        records, complete = 0, False
        for message in messages(sys.stdin.buffer):
            if message is None:
                complete = True
                break
            journal.write({"record": recorder.record(*message).to_json()})
            records += 1
        journal.write({"footer": {"records": records, "complete": complete}})


if __name__ == "__main__":
    main()
