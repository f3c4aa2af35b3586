"""Judging across answers: what one answer alone cannot show."""

from __future__ import annotations

import json
from collections.abc import Iterator

from testcard.core.record import Finding, Record


class Across:
    """Watches a run's records for pictures and request ids that come twice. Memory: two short entries a record."""

    def __init__(self) -> None:
        self._pictures: dict[str, tuple[str, int]] = {}
        self._ids: dict[str, int] = {}
        self._compared = False

    def add(self, record: Record) -> Iterator[Finding]:
        """The findings that this record makes together with earlier ones."""
        prompt = _prompt(record)
        for picture in record.pictures:
            if picture.format is None:
                continue
            earlier = self._pictures.setdefault(picture.sha256, (prompt, record.number))
            if earlier[0] != prompt:
                yield Finding(
                    "image.distinct",
                    held=False,
                    expected="different pictures for different prompts",
                    actual=f"records {earlier[1]} and {record.number} got the same bytes",
                    evidence=(earlier[1], record.number),
                )
        if not self._compared and len({prompt for prompt, _ in self._pictures.values()}) > 1:
            self._compared = True
            numbers = tuple(number for _, number in self._pictures.values())
            yield Finding("image.distinct", held=True, evidence=numbers)
        given = next((value for name, value in record.headers if name.lower() == "x-request-id"), None)
        if given:
            first = self._ids.setdefault(given, record.number)
            if first != record.number:
                yield Finding(
                    "identity.request-id",
                    held=False,
                    expected="an id of its own for every answer",
                    actual=f"records {first} and {record.number} both carry {given[:60]}",
                    evidence=(first, record.number),
                )


def _prompt(record: Record) -> str:
    try:
        body = json.loads(record.request_body or "")
    except ValueError:
        return record.request_body or ""
    return str(body.get("prompt")) if isinstance(body, dict) else str(body)
