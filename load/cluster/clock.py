"""How far two hosts' clocks are apart, from messages that go to and fro (RFC 5905, section 8, with one stamp at the far
end).

A message left at t0 and its answer came at t3, both by our clock; in between the other clock said T. Wherever in
between that was, the other clock is ahead by T - (t0 + t3) / 2, with an error of at most (t3 - t0) / 2. Of several
rounds the shortest knows best.
"""

from __future__ import annotations


class Alignment:
    """What the rounds so far say; seconds."""

    def __init__(self) -> None:
        self.rounds = 0
        self.ahead_s = 0.0
        """The other clock minus ours."""
        self.uncertainty_s = float("inf")
        """By how much that may be wrong, at most."""

    def add(self, sent: float, theirs: float, received: float) -> None:
        """Take one round: when it left and came back by our clock, and what theirs said in between."""
        self.rounds += 1
        half = (received - sent) / 2
        if half < self.uncertainty_s:
            self.uncertainty_s = half
            self.ahead_s = theirs - (sent + received) / 2

    def ours(self, theirs: float) -> float:
        """A moment of the other clock, by ours."""
        return theirs - self.ahead_s
