"""What a requirement can end as, what a run can end as, and the exit code of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PASS = "pass"  # noqa: S105 (an outcome, not a password)
FAIL = "fail"
WARN = "warn"
NOT_OBSERVED = "not-observed"
NOT_APPLICABLE = "not-applicable"
NOT_JUDGED = "not-judged"

OUTCOMES: dict[str, str] = {
    PASS: "It was judged, and it holds.",
    FAIL: "A MUST that does not hold. Counts, unless it is a known failure.",
    WARN: "A SHOULD that does not hold. Counts only with --strict, which makes it a fail.",
    NOT_OBSERVED: "Its occasion never arose, a 503 say. Never a pass.",
    NOT_APPLICABLE: "The target does not claim it.",
    NOT_JUDGED: "Something needed was missing; its reason says what to supply. Counts only with --require-all.",
}

LOAD_OUTCOMES: dict[str, str] = {
    "valid": "A 2xx whose contract and pictures hold.",
    "invalid": "A 2xx whose contract or pictures do not hold.",
    "limited": "A 429.",
    "refused": "Any other 4xx.",
    "server-error": "A 5xx.",
    "timeout": "No complete answer before our deadline.",
    "broken": "The connection or the framing failed.",
    "cancelled": "We closed the connection: a newer prompt had replaced it. Stands in no sum of arrivals.",
    "dropped": "Not sent: the in-flight cap was reached.",
    "lost": "Sent, and nothing is known of it: its worker died.",
}

EXIT_CODES: dict[int, tuple[str, str]] = {
    0: ("kept", "Every MUST that was judged holds; every claim and SLO that was asked for is certified."),
    1: ("broken", "A MUST fails, or an SLO or a claim asked for is refuted; of compare and history: a regression."),
    2: ("usage", "The command line or a file is wrong; nothing was sent."),
    3: ("not-judged", "No answers that a verdict could rest on; or, with --require-all, a MUST was left unjudged."),
    4: ("inconclusive", "Too few samples for an SLO or a claim that was asked for, or the budget ran out."),
    5: ("error", "An error of testcard's own."),
    130: ("interrupted", "Stopped by Ctrl-C; what was recorded is kept and can be reported."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signals:
    """What a run's verdict depends on, gathered from its rooms."""

    interrupted: bool = False
    error: bool = False
    unanswered: bool = False
    """Nothing answered, or nothing that a verdict could rest on."""
    broken: bool = False
    inconclusive: bool = False
    unjudged_must: bool = False
    require_all: bool = False


def exit_code(signals: Signals) -> int:
    """The first that applies, in the order 130, 5, 3, 1, 4, 3 (--require-all), 0."""
    order: Iterable[tuple[bool, int]] = (
        (signals.interrupted, 130),
        (signals.error, 5),
        (signals.unanswered, 3),
        (signals.broken, 1),
        (signals.inconclusive, 4),
        (signals.require_all and signals.unjudged_must, 3),
    )
    return next((code for applies, code in order if applies), 0)


def verdict(code: int) -> str:
    """The word for an exit code: `kept`, `broken`, `not-judged`, …"""
    return EXIT_CODES[code][0]
