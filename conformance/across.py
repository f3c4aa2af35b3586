"""Judging across answers: what one answer alone cannot show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from testcard.core.judgement import Judgement
from testcard.core.record import Finding, Record

_DIGITS = 24  # 96 bits: two pictures of a million agree in them by chance in no run of anybody

_USUAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The ids that we send usually: UUIDs, each once."""


class Across:
    """Watches a run's answers for pictures and request ids that come twice. Memory: about 200 bytes an answer."""

    def __init__(self) -> None:
        self._pictures: dict[str, int] = {}
        """The record that had a picture first."""
        self._prompts: dict[int, str] = {}
        """What records asked for, where it may not be theirs alone."""
        self._shown: dict[str, tuple[int, str, str]] = {}
        """By pixels: the record that had them first, its prompt, and the digest of its file."""
        self._ids: dict[str, int] = {}
        self._compared = False

    def add(self, record: Record) -> Iterator[Finding]:
        """The findings that this record makes together with earlier ones; the second fetch of a picture makes none."""
        if record.picture_of is not None:
            return
        self._prompts[record.number] = _prompt(record)
        digests = [picture.sha256 for picture in record.pictures if picture.format]
        given = next((value for name, value in record.headers if name.lower() == "x-request-id"), None)
        if record.request_id is not None and not _USUAL_ID.fullmatch(record.request_id):
            given = None  # it was to provoke, and was sent again with every repetition
        yield from self.compare(record.number, digests, given)

    def alike(self, number: int, prompt: str, judgement: Judgement) -> Iterator[Finding]:
        """Pictures for different prompts that show the same, in files that differ: equal files `compare` finds."""
        for picture, pixels in zip(judgement.pictures, judgement.pixels, strict=True):
            if pixels is None:
                continue
            earlier, asked, digest = self._shown.setdefault(pixels, (number, prompt, picture.sha256))
            if asked != prompt and digest != picture.sha256:
                yield Finding(
                    "image.distinct",
                    held=False,
                    expected="different pictures for different prompts",
                    actual=f"records {earlier} and {number} show the same pixels, in files that differ",
                    evidence=(earlier, number),
                )

    def compare(self, number: int, digests: Sequence[str], given_id: str | None) -> Iterator[Finding]:
        """The findings that an answer makes together with earlier ones.

        Args:
            number: of its record; its prompt is its own, if add() was not told of it.
            digests: of its pictures, hexadecimal.
            given_id: the answer's X-Request-Id.
        """
        new = False
        for digest in digests:
            earlier = self._pictures.setdefault(digest[:_DIGITS], number)
            new = new or earlier == number
            if earlier == number or self._prompts.get(earlier, earlier) == self._prompts.get(number, number):
                continue
            yield Finding(
                "image.distinct",
                held=False,
                expected="different pictures for different prompts",
                actual=f"records {earlier} and {number} got the same bytes",
                evidence=(earlier, number),
            )
        if new and not self._compared:
            first = next(iter(self._pictures.values()))
            if self._prompts.get(first, first) != self._prompts.get(number, number):
                self._compared = True
                yield Finding("image.distinct", held=True, evidence=tuple(dict.fromkeys(self._pictures.values())))
        if given_id:
            first = self._ids.setdefault(given_id, number)
            if first != number:
                yield Finding(
                    "identity.request-id",
                    held=False,
                    expected="an id of its own for every answer",
                    actual=f"records {first} and {number} both carry {given_id[:60]}",
                    evidence=(first, number),
                )


def _prompt(record: Record) -> str:
    try:
        body = json.loads(record.request_body or "")
    except (ValueError, RecursionError):
        return record.request_body or ""
    return str(body.get("prompt")) if isinstance(body, dict) else str(body)
