"""Who may ask: the accounts behind the mock's keys."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.target import Limit
from testcard.mock_server.limiter import Limiter, Shape, limiter
from testcard.mock_server.promise import Promise


@dataclass(frozen=True, slots=True)
class Account:
    """What stands behind one key."""

    role: str
    limiter: Limiter
    wallet_empty: bool = False


def accounts(
    promise: Promise,
    shape: Shape,
    rpm: int | None = None,
    window_s: float | None = None,
    burst: float | None = None,
) -> dict[str, Account]:
    """The accounts by key, with the limits as promised or, where a value is given, all alike."""
    opened = {}
    for role, key in promise.keys.items():
        own = promise.limits[role]
        limit = Limit(
            requests=own.requests if rpm is None else rpm,
            window_s=own.window_s if window_s is None else window_s,
            burst=own.burst if burst is None else burst,
        )
        opened[key] = Account(role, limiter(limit, shape), wallet_empty=role == "empty_wallet")
    return opened
