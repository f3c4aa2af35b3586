"""What a worker makes of a brief that came over the network, before anything is sent: whose key goes where.

Whoever can reach a worker's master port could pose as its master. So a worker takes no host on a master's word that is
not its own, and no environment variable that is not meant for testcard.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testcard.core.errors import UsageError
from testcard.core.record import Jsonable
from testcard.core.target import Keyring, Target, header_values
from testcard.load.brief import Brief

_PREFIX = "TESTCARD_"


@dataclass(frozen=True, slots=True)
class Terms(Jsonable):
    """On what terms a worker takes part; from its own command line."""

    master_host: str
    master_port: int
    confirmed_host: str | None = None
    api_key_env: str | None = None


def admit(message: dict[str, Any], terms: Terms, directory: Path, *, ahead_s: float) -> Brief:
    """The brief as it holds on this host: with its keys, in its directory, by its clock.

    Args:
        message: what BRIEF holds.
        directory: private to this worker.
        ahead_s: the master's clock minus ours.

    Raises:
        UsageError: this host cannot take part; nothing was sent.
    """
    given = Brief.from_json(message["brief"], directory)
    target = _own(given.target, terms)
    if not target.on_loopback and terms.confirmed_host != target.host:
        raise UsageError(
            f"the master asks for load on {target.host}: pass --confirm-host {target.host} to this worker too, "
            "since its key goes there"
        )
    if message["keyed"] and Keyring(target).get(given.plan.key) is None:
        variable = Keyring(target).variable(given.plan.key)
        raise UsageError(f"{variable} is not set on this host: each worker takes the key from its own environment")
    header_values(target)
    if message["ca_pem"] is not None:
        ca_file = directory / "ca.pem"
        ca_file.write_text(message["ca_pem"], encoding="utf-8")
        target = dataclasses.replace(target, ca_file=str(ca_file))
    return dataclasses.replace(given, target=target, started=given.started - ahead_s)


def _own(target: Target, terms: Terms) -> Target:
    """The target with the variables of this host only."""
    keys = dict(target.keys)
    if terms.api_key_env is not None:
        keys["main"] = terms.api_key_env
    for role, variable in list(keys.items()):
        if variable.startswith(_PREFIX) or (role == "main" and variable == terms.api_key_env):
            continue
        if role == "main":
            raise UsageError(
                f"the master takes the key from {variable}: pass --api-key-env {variable} to this worker too"
            )
        del keys[role]
    for name, value in target.headers.items():
        if value.startswith("env:") and not value.startswith(f"env:{_PREFIX}"):
            raise UsageError(
                f"header {name} takes its value from {value.removeprefix('env:')}: "
                f"a worker gives {_PREFIX}* variables only to its master's headers; name the variable so"
            )
    return dataclasses.replace(target, keys=keys)
