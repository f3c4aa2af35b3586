"""Makes HTTP exchanges as a load's worker does, in a process that gevent has patched; prints what came of each.

python exchanging.py TIMEOUT_S CA_FILE, with jobs on standard input, a line each:
{"url": …, "megabytes": 0, "at_once": 1, "times": 1, "pause_s": 0, "cancel_s": null, "held_s": null}
"""

# ruff: noqa: E402  (sockets are patched before anything imports them)

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import hashlib
import json
import sys
from typing import Any

import gevent
from gevent.event import Event

from testcard.load.arena import Arena
from testcard.load.reply import Reply
from testcard.load.worker.connection import Connections


def told(reply: Reply, arena: Arena) -> dict[str, Any]:
    """What a test can look at."""
    body = reply.body
    if reply.lease is not None:
        body = bytes(arena.view(reply.lease)[: reply.size_bytes])
    stamps = [stamp for stamp in (reply.sent, reply.first_byte, reply.last_byte) if stamp is not None]
    return {
        "status": reply.status,
        "headers": reply.headers,
        "failure": reply.failure.kind if reply.failure else None,
        "digest": hashlib.sha256(body).hexdigest(),
        "size": reply.size_bytes,
        "leased": reply.lease is not None,
        "stamps": stamps,
    }


def work_off(job: dict[str, Any], connections: Connections, arena: Arena) -> list[dict[str, Any]]:
    """What came of the exchanges of one job."""
    found: list[dict[str, Any]] = []
    body = b"x" * (job.get("megabytes", 0) << 20)
    message = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for _ in range(job.get("times", 1)):
        due, over = len(found) + job.get("at_once", 1), Event()

        def done(reply: Reply, due: int = due, over: Event = over) -> None:
            found.append(told(reply, arena))
            if len(found) >= due:
                over.set()

        asked = [connections.exchange(job["url"], message, done) for _ in range(job.get("at_once", 1))]
        if job.get("held_s") is not None:
            for asking in asked:
                gevent.spawn_later(job["held_s"] / 2, asking.cancel)
            gevent.sleep(job["held_s"] / 4)
            monkey.get_original("time", "sleep")(job["held_s"])  # the event loop finds all that happened at once
        if job.get("cancel_s") is not None:
            gevent.sleep(job["cancel_s"])
            for asking in asked:
                asking.cancel()
                asking.cancel()
        over.wait()
        gevent.sleep(job.get("pause_s", 0.0))
    return found


def main() -> None:
    timeout_s, ca_file = float(sys.argv[1]), sys.argv[2] or None
    arena = Arena()
    connections = Connections(timeout_s=timeout_s, ca_file=ca_file, arena=arena)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(work_off(json.loads(line), connections, arena)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
