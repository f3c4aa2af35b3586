"""A server on loopback that repeats answers which the target gave: body and headers as they were received.

What belongs to the connection (length, coding, framing) is made anew, so an SDK sees nothing of how the target frames.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testcard.conformance.retryafter import BadRetryAfter, retry_after_s
from testcard.core.exchange import Response

PATIENT_S = 60.0
"""Every version of the SDKs keeps a Retry-After up to this. Beyond it some ask sooner, some never, and openai-node 6
waits for as long as it says."""
_OF_THE_CONNECTION = frozenset({
    "connection", "content-encoding", "content-length", "keep-alive", "location", "proxy-connection", "set-cookie",
    "te", "trailer", "transfer-encoding", "upgrade", "alt-svc", "retry-after-ms",
})  # fmt: skip


class Replay(ThreadingHTTPServer):
    """Serves answer I to every POST below /I/, and counts them."""

    daemon_threads = True

    def __init__(self, answers: Sequence[Response]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: Counter[int] = Counter()
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a client may hang up whenever it likes."""

    def call(self, index: int) -> dict[str, Any]:
        """What an SDK's client is told, to get answer `index`: one repetition, if it would not wait for long."""
        base_url = f"http://127.0.0.1:{self.server_address[1]}/{index}/v1"
        return {"base_url": base_url, "max_retries": int(hurries(self.answers[index]))}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Replay

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        first = self.path.split("/")[1]
        index = int(first) if first.isdecimal() else len(self.server.answers)
        if index >= len(self.server.answers):
            self.send_error(404)
            return
        with self.server.lock:
            self.server.asked[index] += 1
        answer = self.server.answers[index]
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, _lower(value) if name.lower() == "content-type" else value)
        if hurries(answer):
            self.send_header("Retry-After-Ms", "1")  # the SDKs put it before Retry-After: nobody need wait
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        """Print nothing."""


def _lower(label: str) -> str:
    """A media type in lower case. Case makes no difference (RFC 9110, section 8.3.1), but openai-node takes
    Application/JSON for text: that is no fault of the target's."""
    media_type, semicolon, parameters = label.partition(";")
    return media_type.lower() + semicolon + parameters


def hurries(answer: Response) -> bool:
    """Whether the wait of a repetition may be cut short without changing what an SDK decides."""
    try:
        return retry_after_s(answer).seconds <= PATIENT_S
    except BadRetryAfter:
        return True


@contextlib.contextmanager
def replaying(answers: Sequence[Response]) -> Iterator[Replay]:
    """Serve answers on a free port of loopback."""
    with Replay(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="replay", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
