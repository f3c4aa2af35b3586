"""Nothing that we write may hold a key: every sink passes through one Redactor.

Rule 1: exact values. Whatever the server does with a key (echoes it in an error, a header, a URL),
the value itself is replaced wherever it stands, also percent-encoded, escaped as in JSON, or in base64.
Rule 2: redact first, cut afterwards; the other way round half a key would survive.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

MASK = "[redacted]"
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"})
_SIGNED = re.compile(
    r"(?i)((?:[?&;]|\\u0026)(?:[^=&\s\"']*(?:sig|token|secret|credential|key|hmac|policy)[^=&\s\"']*)=)(?!\$\{\w+\})[^&\s\"'<>\\]+"
)
_LITERAL = re.compile(r"[A-Za-z0-9\-_.~]+")
_NOT_BASE64 = "-_.~"
_SHORTEST_IN_BASE64 = 12  # of a shorter one so little is certain that a picture could hold it by chance
_LONGEST_PIECE = 64 * 1024
_URL_SAFE = str.maketrans("+/", "-_")
_SHORTEST_SECRET = 6  # a shorter value would mask ordinary words


class Redactor:
    """Replaces secrets in text, bytes, headers and JSON values."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        long_enough = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        pattern = "|".join(map(_forms, sorted(long_enough, key=len, reverse=True)))
        self._pattern = re.compile(pattern, re.IGNORECASE) if pattern else None
        self._bytes = re.compile(pattern.encode(), re.IGNORECASE) if pattern else None
        runs = [max(_LITERAL.findall(secret), key=len, default="").lower() for secret in long_enough]
        self._runs = tuple((_mark(run).encode(), run.encode()) for run in runs)
        self._base64 = tuple({form for secret in long_enough for form in _base64_forms(secret)})
        self._base64_bytes = tuple(form.encode() for form in self._base64)
        self._base64_marks = tuple((_middle(form), form) for form in self._base64_bytes)

    def text(self, text: str) -> str:
        """The text without secrets and without the signatures of signed URLs."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        for form in self._base64:
            if form in text:
                text = text.replace(form, MASK)
        return _SIGNED.sub(rf"\1{MASK}", text) if "=" in text else text

    def data(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        if self._bytes is not None and self._may_hold(data):
            data = self._bytes.sub(MASK.encode(), data)
        if self._in_base64(data):
            for form in self._base64_bytes:
                data = data.replace(form, MASK.encode())
        return data

    def may_change(self, data: bytes) -> bool:
        """Whether a JSON text could hold what `json` would replace; False is certain."""
        return b"=" in data or self.may_hold(data)

    def may_hold(self, data: bytes) -> bool:
        """Whether one of the secrets could stand there; False is certain."""
        return self._may_hold(data) or self._in_base64(data)

    def _in_base64(self, data: bytes) -> bool:
        """Whether a secret stands there in base64; not in a string of megabytes, which is a picture."""
        if not self._base64_bytes:
            return False
        if len(data) > _LONGEST_PIECE:
            data = _without_pictures(data)
        for mark, form in self._base64_marks:  # noqa: SIM110 (any() takes twice as long, three times an answer)
            if mark in data and form in data:
                return True
        return False

    def _may_hold(self, data: bytes) -> bool:
        """Whether the letters of a secret that have one spelling only are there: a tenth of what the patterns cost.

        Megabytes of base64 hold no `-`, so that of most keys the first look says it.
        """
        lowered: bytes | None = None
        for mark, run in self._runs:
            if mark in data:
                lowered = data.lower() if lowered is None else lowered
                if run in lowered:
                    return True
        return False

    def holds_secret(self, text: str) -> bool:
        """Whether one of the secrets stands in the text."""
        plain = self._pattern is not None and self._pattern.search(text) is not None
        return plain or any(form in text for form in self._base64)

    def headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The header lines, with the values of credentials masked whatever they are."""
        return tuple((name, MASK if name.lower() in _SECRET_HEADERS else self.text(value)) for name, value in headers)

    def json(self, value: Any, words: frozenset[str] = frozenset()) -> Any:
        """A JSON value with every string in it redacted, keys included, but for these words."""
        if isinstance(value, str):
            return value if value in words else self.text(value)
        if isinstance(value, Mapping):
            return {self.json(key, words): self.json(item, words) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.json(item, words) for item in value]
        return value


def _mark(run: str) -> str:
    """A letter of it that base64 does not have, or nothing."""
    return next((letter for letter in run if letter in _NOT_BASE64), "")


def _without_pictures(data: bytes) -> bytes:
    """The data without strings of megabytes, which are looked at and not copied."""
    kept: list[bytes] = []
    start = 0
    while start < len(data):
        quote = data.rfind(b'"', start, start + _LONGEST_PIECE + 1)
        if quote < 0 and len(data) - start > _LONGEST_PIECE:
            quote = data.find(b'"', start)  # the end of a string that is too long
        else:
            kept.append(data[start:] if quote < 0 else data[start:quote])
        start = len(data) if quote < 0 else quote + 1
    return b'"'.join(kept)


def _base64_forms(secret: str) -> set[str]:
    """What a secret looks like inside of base64, at each of the three places where it may begin in a group.

    The first and the last character depend on what stands beside it, so they are left out.
    """
    if len(secret) < _SHORTEST_IN_BASE64:
        return set()
    data = secret.encode()
    forms = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode()
        whole = (before + len(data)) * 8 // 6  # characters that hold nothing but what came so far
        inner = text[-(-before * 8 // 6) : whole]
        forms |= {inner, inner.translate(_URL_SAFE)}
    return forms


def _middle(form: bytes) -> bytes:
    """Twelve of its characters: in base64 they are looked for in a third of the time that all of them take."""
    begin = max(0, len(form) // 2 - 6)
    return form[begin : begin + 12]


def _forms(secret: str) -> str:
    """A pattern for all spellings of a secret: as it is, percent-encoded or escaped as in JSON, in part or whole."""
    return "".join(_character(letter) for letter in secret)


def _character(letter: str) -> str:
    if letter.isascii() and (letter.isalnum() or letter in "-_.~"):  # RFC 3986, section 2.3: nobody encodes these
        return letter if letter.isalnum() else re.escape(letter)
    plus = r"|\+" if letter == " " else ""
    percent = quote(letter, safe="").replace("%", "%(?:25)*")
    # However often: a gateway quotes its upstream's JSON in a JSON of its own, an address in an address.
    return rf"(?:\\*{re.escape(letter)}|{percent}|\\+u{ord(letter):04x}{plus})"
