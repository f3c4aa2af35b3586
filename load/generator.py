"""How the generator itself did: what each worker counted, and whether it had the machine to itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testcard.core.document import read_document, write_document
from testcard.core.record import Jsonable

NAME = "generator.json"


@dataclass(frozen=True, slots=True)
class WorkerReport(Jsonable):
    """One worker's own account."""

    worker: int
    complete: bool
    """Whether it came to its end; False: it died, or was stopped."""
    planned: int = 0
    sent: int = 0
    dropped: int = 0
    answered: int = 0
    in_flight_cap: int | None = None
    """How many arrivals it let be under way at once: its part of the plan's, or fewer if its system allows fewer open
    files."""
    cpu_share: float | None = None
    """Of one core, over the load; a worker is one thread, so 1.0 is all that it can have."""
    stall_p99_s: float | None = None
    """How much longer than asked for its event loop slept."""
    stall_max_s: float | None = None
    in_flight_mean: float | None = None
    """Arrivals under way, as its clock saw them every 10 ms, from the start to its end."""
    wall_s: float | None = None
    """How long that was."""
    stage: str | None = None
    """Of a load that is several runs: which."""
    host: str | None = None
    """Of a cluster: its host's name."""
    clock_uncertainty_s: float | None = None
    """Of a cluster: how well its clock was aligned with the master's, at worst."""


@dataclass(frozen=True, slots=True)
class Generator(Jsonable):
    """The account of all workers of a load."""

    cores: int
    workers: tuple[WorkerReport, ...] = ()
    notes: tuple[str, ...] = ()
    """What went wrong on our side, a sentence each."""
    missing: str | None = None
    """What a worker's death cost, where one died: no verdict may pass over it."""

    def write(self, directory: Path) -> None:
        """Write generator.json into a run directory.

        Raises:
            TestcardError: it cannot be written.
        """
        write_document(directory / NAME, self.to_json())

    @classmethod
    def read(cls, directory: Path) -> Generator | None:
        """The account in a run directory, or None where there is none: the run was cut off.

        Raises:
            RunFileError: it is damaged.
        """
        path = directory / NAME
        return read_document(path, cls.from_json) if path.is_file() else None
