"""Makes of what a worker hands over the exchanges that conformance judges.

A worker knows of an answer what only it can know: bytes and stamps, as plain values (reply.py). What follows from the
brief is put together here, off the path that measures.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.core.redact import Redactor
from testcard.core.target import Keyring
from testcard.load.brief import Brief
from testcard.load.handover import Delivery
from testcard.load.message import Messages
from testcard.load.payload import case_of
from testcard.load.reply import Fetched, Reply


class Exchanges:
    """Of one worker. Spans become seconds on the run's clock."""

    def __init__(self, brief: Brief, keyring: Keyring, redactor: Redactor) -> None:
        like = Request(case="", body=b"", key=brief.plan.key)
        self._scenario, self._key = brief.plan.scenario, brief.plan.key
        self._started = brief.started
        self._first_number = brief.first_number
        self._url = brief.target.base_url + like.path
        self._messages = Messages(brief.target, keyring, redactor, like)

    def of(self, delivery: Delivery) -> Exchange:
        """An arrival's exchange, with the fetches of its pictures."""
        planned, reply = delivery.planned, delivery.reply
        number = self._first_number + delivery.arrival
        case = case_of(self._scenario, delivery.arrival, planned.stage, planned.client, planned.attempt)
        return Exchange(
            Request(case, body=delivery.body, images=planned.n, key=self._key),
            number,
            self._url,
            delivery.request_id,
            self._messages.shown(delivery.request_id),
            _utc(delivery.began_at),
            self._since_start(delivery.due),
            *self._came(reply),
            tuple([self._picture(number, delivery.request_id, picture) for picture in delivery.fetched]),
            received_at=delivery.received_at,
        )

    def _picture(self, number: int, request_id: str, fetched: Fetched) -> Exchange:
        return Exchange(
            Request(case=f"picture of record {number}", method="GET", path=fetched.url, key=None),
            number,
            fetched.url,
            request_id,
            (),
            _utc(fetched.began_at),
            self._since_start(fetched.began),
            *self._came(fetched.reply),
            received_at=fetched.received_at,
        )

    def _came(self, reply: Reply) -> tuple[float, float | None, float | None, Response | None, Failure | None]:
        """What an exchange says of its reply."""
        first, last = reply.first_byte, reply.last_byte
        return (
            self._since_start(reply.sent),
            None if first is None else self._since_start(first),
            None if last is None else self._since_start(last),
            reply.response,
            reply.failure,
        )

    def _since_start(self, moment: float) -> float:
        return moment - self._started


def _utc(moment: float) -> str:
    second = int(moment)
    return f"{_utc_second(second)}.{int((moment - second) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _utc_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]
