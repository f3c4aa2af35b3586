"""Whether who has seen some URLs can guess another: they open without a key."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_FEWEST = 3
_FEWEST_BITS = 24.0
"""Sixteen million tries are an afternoon's; what documents show as an example (`abc123`) is longer."""
_SECRET = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}|[A-Za-z]{24,}|\d{20,}")
"""Something random that all urls may share: an account's folder, say."""
_MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """What several URLs say."""

    guessable: bool
    described: str


def guessable(urls: Sequence[str]) -> Verdict | None:
    """What the URLs have of their own, as the number of tries that it would take; None for too few of them."""
    names = sorted({_name(url) for url in urls})
    if len(names) < _FEWEST:
        return None
    start = os.path.commonprefix(names)  # noqa: RUF071  (character by character is what is meant)
    rests = [name[len(start) :][::-1] for name in names]
    end = os.path.commonprefix(rests)[::-1]  # noqa: RUF071  (likewise)
    own = [name[len(start) : len(name) - len(end)] for name in names]
    bits = max(_bits(part) for part in own)
    random = bits >= _FEWEST_BITS or _SECRET.search(start) is not None or _SECRET.search(end) is not None
    return Verdict(not random, f"they differ in {', '.join(repr(part) for part in own[:4])} only"[:_MOST_SHOWN])


def _name(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _bits(text: str) -> float:
    """How much there is to guess in a text at most: its letters and digits, each one of those it may have been."""
    letters = re.sub(r"[^0-9A-Za-z]", "", text)
    alphabet = 10 if letters.isdigit() else 16 if re.fullmatch(r"[0-9a-f]*|[0-9A-F]*", letters) else 62
    return len(letters) * math.log2(alphabet)
