"""Text that came from a server, made safe to show: visible, one direction, cut to a length.

Rule 1: whatever a server sent stays text. No control character of its reaches a terminal, an XML
document or a page; escapes of markup are each format's own business.
"""

from __future__ import annotations

import unicodedata

_KEPT = frozenset("\n\t")
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str, most: int | None = None) -> str:
    """The text with everything invisible written as an escape, `\\x1b` say.

    Args:
        most: characters to keep; None: all.
    """
    if not text.isprintable():
        text = "".join(character if _visible(character) else _escaped(character) for character in text)
    if most is not None and len(text) > most:
        return f"{text[:most]}… ({len(text) - most} more characters)"
    return text


def one_line(text: str, most: int | None = None) -> str:
    """Like `printable`, with every run of white space as one space."""
    return printable(" ".join(text.split()), most)


def _visible(character: str) -> bool:
    # Cc: controls; Cs: lone surrogates, which no encoding can write; Cn: among them U+FFFE and U+FFFF,
    # which XML 1.0 forbids. The reordering marks can make "refused" read as something else.
    if character in _KEPT:
        return True
    return character not in _REORDERING and unicodedata.category(character) not in ("Cc", "Cs", "Cn")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
