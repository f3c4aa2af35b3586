"""How a key is presented: rightly, in a place or scheme that no contract names, or not quite as it is.

A request names one of these and never holds the key itself; the one way to send puts it in, at the last moment.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Presentation:
    """One way to present a key."""

    authorization: Callable[[str], str] | None = None
    """The value of Authorization for a key; None: there is no such header."""
    shell: str = ""
    """The same in a shell, where KEY is the variable that holds the key."""
    query: str | None = None
    """The parameter of the query that holds the key."""
    member: str | None = None
    """The member of the JSON body that holds the key."""
    good: bool = False
    """Whether it must let the owner of the key in."""
    spelt: Callable[[str], str] = str
    """How the name of every header field is spelt."""
    value: Callable[[str], str] = lambda key: key
    """What is presented in place of the key."""


def _authorization(scheme: str, value: Callable[[str], str], shell: str) -> Presentation:
    return Presentation(lambda key: f"{scheme} {value(key)}".strip(), f"{scheme} {shell}".strip(), value=value)


def _basic(key: str) -> str:
    return base64.b64encode(f"{key}:".encode()).decode()


def _changed(key: str) -> str:
    """Another character in the middle, and one that may stand in any key: who checks the form only lets it in."""
    middle = max(len(key) // 2, 1) - 1
    return f"{key[:middle]}{'0' if key[middle] != '0' else '1'}{key[middle + 1 :]}"


def _swapped(key: str) -> str:
    swapped = key.swapcase()
    return swapped if swapped != key else f"{key}X"  # a key without letters has no other case, and must not be let in


LOWER_CASE_NAMES = "field names in lower case"

PRESENTATIONS: Mapping[str, Presentation] = {
    "bearer": Presentation(lambda key: f"Bearer {key}", "Bearer $KEY", good=True),
    LOWER_CASE_NAMES: Presentation(lambda key: f"Bearer {key}", "Bearer $KEY", good=True, spelt=str.lower),
    "lower-case scheme": Presentation(lambda key: f"bearer {key}", "bearer $KEY", good=True),
    "Basic": _authorization("Basic", _basic, """$(printf '%s:' "$KEY" | base64 | tr -d '\\n')"""),
    "no scheme": _authorization("", str, "$KEY"),
    "another scheme": _authorization("Token", str, "$KEY"),
    "without its last character": _authorization("Bearer", lambda key: key[:-1], "${KEY%?}"),
    "its first half": _authorization(
        "Bearer", lambda key: key[: len(key) // 2], """$(printf %s "$KEY" | head -c $((${#KEY} / 2)))"""
    ),
    "one character changed": _authorization(
        "Bearer",
        _changed,
        """$(m=$((${#KEY}/2-1)); printf %s "$KEY" | sed -E -e "s/^(.{$m})[^0]/\\10/" -e t -e "s/^(.{$m})0/\\11/")""",
    ),
    "in the other case": _authorization("Bearer", _swapped, '$(printf %s "$KEY" | tr a-zA-Z A-Za-z)'),
    "with a character more": _authorization("Bearer", lambda key: f"{key}0", "${KEY}0"),
    "as ?api_key=": Presentation(query="api_key"),
    "as ?key=": Presentation(query="key"),
    "as ?access_token=": Presentation(query="access_token"),
    "as api_key in the body": Presentation(member="api_key"),
}
"""By name. Only `bearer` is what a client sends that does as it is told."""


def derived(key: str) -> tuple[str, ...]:
    """Everything that is sent in place of a key: as secret as the key itself."""
    return tuple({presentation.value(key) for presentation in PRESENTATIONS.values()} - {key})
