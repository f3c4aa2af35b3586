"""All pairs: few rows in which every two values of different fields meet at least once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any


def pairwise(values: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows that cover all pairs, chosen greedily: each is the one that brings the most pairs together for the first
    time, and among those the first in order. As cheap rows come first in order, expensive ones come only when needed.
    """
    names = list(values)
    rows = [dict(zip(names, row, strict=True)) for row in product(*values.values())]
    if len(names) < 2:
        return rows
    open_pairs = {pair for row in rows for pair in _pairs(row)}
    chosen = []
    while open_pairs:
        best = max(rows, key=lambda row: len(open_pairs & _pairs(row)))
        open_pairs -= _pairs(best)
        chosen.append(best)
    return chosen


def _pairs(row: Mapping[str, Any]) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    return set(combinations(row.items(), 2))
