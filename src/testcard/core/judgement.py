"""What a judge says about one exchange."""

from __future__ import annotations

from dataclasses import dataclass

from testcard.core.record import Finding, Picture


@dataclass(frozen=True, slots=True)
class Judgement:
    """The findings about one exchange, and what its pictures are."""

    findings: tuple[Finding, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """Requirements that held, and were nowhere broken, each once."""
        broken = {finding.requirement for finding in self.findings if not finding.held}
        return tuple(dict.fromkeys(f.requirement for f in self.findings if f.held and f.requirement not in broken))

    @property
    def broken(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.held)
