"""What a user can supply for requirements that were not judged, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from testcard.core.summary import RequirementResult

# Reasons end with what to do, where anything can be done: `no second key: set TESTCARD_SECOND_KEY`.
_TO_DO = re.compile(r": ((?:set|add|pass) .+|declare (?P<fields>.+) in \[target\])(?: \(record \d+\))?$")


def unjudged_sentence(results: Sequence[RequirementResult]) -> str:
    """`19 in auth, media and limit were not judged: set …, add …`; what nothing can be done about is only counted."""
    areas = list(dict.fromkeys(row.id.partition(".")[0] for row in results))
    where = f"{', '.join(areas[:-1])} and {areas[-1]}" if len(areas) > 1 else "".join(areas)
    said = f"{len(results)} in {where} {'was' if len(results) == 1 else 'were'} not judged"
    to_do = ", ".join(supplies(row.reason or "" for row in results))
    return f"{said}: {to_do}" if to_do else said


def supplies(reasons: Iterable[str]) -> list[str]:
    """What the reasons ask for, each once; fields to declare together."""
    found = [match for reason in reasons if (match := _TO_DO.search(reason))]
    fields = dict.fromkeys(name for match in found if match["fields"] for name in match["fields"].split(", "))
    others = list(dict.fromkeys(match[1] for match in found if not match["fields"]))
    return [*others, f"declare {', '.join(fields)} in [target]"] if fields else others
