"""The table of faults: each is one named switch, with the requirements that it breaks.

Where several are switched on, they apply in this order; those that spoil bytes come last.
"""

from __future__ import annotations

from testcard.mock_server.faults import (
    auth,
    concurrency,
    error,
    forbidden,
    generate,
    image,
    limit,
    media,
    other,
    response,
    transport,
    unnamed,
)
from testcard.mock_server.faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

_AREAS = (
    limit, error, forbidden, unnamed, generate, response, image, media, other, transport, auth, concurrency,
)  # fmt: skip

FAULTS: dict[str, Fault] = {fault.name: fault for area in _AREAS for fault in area.FAULTS}
