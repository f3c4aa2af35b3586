"""The probes: one file each."""

from __future__ import annotations

from collections.abc import Iterable

from testcard.conformance.probe.concurrency import CONCURRENCY
from testcard.conformance.probe.lasting import LASTING
from testcard.conformance.probe.limit import LIMIT
from testcard.conformance.probe.media import MEDIA
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.probe.sdk import SDK
from testcard.conformance.session import Session

__all__ = ["PROBES", "Cost", "Probe", "needed"]

PROBES = (CONCURRENCY, LIMIT, MEDIA, LASTING, SDK)


def needed(session: Session, wanted: Iterable[str]) -> list[Probe]:
    """The probes that the wanted requirements ask for, and that the target allows."""
    names = set(wanted)
    return [probe for probe in PROBES if probe.waited_for_by & names and session.unmet(probe.requires) is None]
