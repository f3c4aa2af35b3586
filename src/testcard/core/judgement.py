"""What a judge says about one exchange."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from testcard.core.record import Finding, Picture


@dataclass(frozen=True)
class Judgement:
    """The findings about one exchange, and what its pictures are."""

    findings: tuple[Finding, ...] = ()
    pictures: tuple[Picture, ...] = ()
    pixels: tuple[str | None, ...] = ()
    """For each picture a digest of what is to be seen; None where nobody looked."""

    @cached_property
    def held(self) -> tuple[str, ...]:
        """Requirements that held, and were nowhere broken, each once."""
        named = dict.fromkeys([finding.requirement for finding in self.findings])
        for finding in self.broken:
            named.pop(finding.requirement, None)
        return tuple(named)

    @cached_property
    def broken(self) -> tuple[Finding, ...]:
        return tuple([finding for finding in self.findings if not finding.held])
