"""What a master and a worker tell each other: the names of our messages on Locust's connection, and what they hold.

Every message of a worker is answered, and may be sent again: nothing hangs on one that got lost with a connection. No
key ever travels.
"""

from __future__ import annotations

HELLO = "testcard-hello"
"""Worker: `version`, `host`, until it is answered."""
BRIEF = "testcard-brief"
"""Master, to HELLO: `worker`, which part of the plan; `brief`, as brief.py writes it; `keyed`, whether the load has a
key; `ca_pem`, the target's own certificate authority."""
REFUSED = "testcard-refused"
"""Master, to HELLO: `why`."""
DECLINED = "testcard-declined"
"""Worker, to BRIEF: `why` it cannot take part."""
CLOCK = "testcard-clock"
"""Worker: `sent`, its clock. Master: the same, with `at`, its own clock; `start`, when the load starts by that clock,
or None; `stop`, why it is to end now, or None."""
LINES = "testcard-lines"
"""Worker: `file`, `at` which byte of it, `data`, whole lines; `ended`, whether nothing follows."""
TAKEN = "testcard-taken"
"""Master, to LINES: `file`; `upto`, how many bytes of it are on its disk; `ended`."""

JOURNAL, ANSWERS = ("journal", "answers")
"""The two files of a worker: brief.journal() and brief.answers()."""

PORT = 5557
"""Locust's own."""
SILENCE_S = 6.0
"""A worker that hears nothing of its master for so long ends by itself. A master gives a worker up by Locust's
heartbeats, after 4 to 5 s."""
