"""How many arrivals a worker's system lets be under way at once: every connection is an open file.

Without it a worker that runs out of files would call the server's connections broken.
"""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

_MOST = 65_536
_SPARE = 16  # the judging process's pipe, names that are looked up, files of the moment
_USUAL = 64  # where the system does not tell what is open already


def arrivals_at_once(connections_each: int) -> int:
    """How many there is room for, at least one; the limit is first raised as far as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower one of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == resource.RLIM_INFINITY:
        soft = _MOST
    try:
        used = sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        used = _USUAL
    return max(1, (soft - used - _SPARE) // connections_each)
