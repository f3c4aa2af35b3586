"""The bundled mock as the target of a check, for the benchmarks that check it."""

from __future__ import annotations

from dataclasses import replace

from testcard.core.target import Limit, Target
from testcard.core.targetfile import profile_target


def mock_target(base_url: str, dialect: str, window_s: float) -> Target:
    """The mock that listens there, with the window of limits that it was started with."""
    main, limited = Limit(600, window_s), Limit(10, window_s)
    return replace(profile_target("mock"), base_url=base_url, dialect=dialect, limit=main, limited=limited)
