"""evidence/: the bytes of answers that broke a requirement, redacted and capped."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from testcard.core.exchange import Exchange, Response
from testcard.core.redact import Redactor

_MOST_EACH = 3
_MOST_FILES = 100
_MOST_BYTES = 4 * 1024 * 1024
_SUFFIXES = {
    "application/json": ".json",
    "text/html": ".html",
    "text/plain": ".txt",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
}


class EvidenceFolder:
    """Keeps the bodies of answers, the first ones up to a cap. Thread-safe."""

    def __init__(self, directory: Path, redactor: Redactor) -> None:
        self._directory = directory
        self._redactor = redactor
        self._lock = threading.Lock()
        self._files = 0
        self._kept: Counter[str] = Counter()

    def keep(self, exchange: Exchange, requirements: Iterable[str]) -> None:
        """Keep the body of an answer that broke these requirements, and those of the pictures that it named.

        The first few of each requirement; a full disk costs the evidence only.
        """
        with self._lock:
            wanted = [name for name in requirements if self._kept[name] < _MOST_EACH]
            self._kept.update(wanted)
        if not wanted:
            return
        bodies = [(f"record-{exchange.number}", exchange.response)]
        bodies += [(f"record-{exchange.number}-picture-{i}", fetch.response) for i, fetch in enumerate(exchange.media)]
        for name, response in bodies:
            if response is not None and response.body:
                self._write(name, response)

    def _write(self, name: str, response: Response) -> None:
        with self._lock:
            if self._files >= _MOST_FILES:
                return
            self._files += 1
        data = self._redactor.data(response.body)[:_MOST_BYTES]
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / f"{name}{_SUFFIXES.get(response.media_type, '.bin')}").write_bytes(data)
        except OSError:
            return
