"""The mock on a real port: until it is interrupted, or for as long as a block of code runs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from testcard.core.errors import TestcardError, UsageError
from testcard.mock_server.app import create_app
from testcard.mock_server.settings import MockSettings

_START_S = 20.0
_GRACE_S = 1


def serve(settings: MockSettings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        port: 0: a free one.
        on_ready: is told the base URL, once connections are accepted.

    Raises:
        UsageError: the port is in use, or the host is not one of this machine's.
        KeyboardInterrupt: after Ctrl-C, when the last answer has been given.
    """
    listener = _listen(host, port)
    server = uvicorn.Server(_config(settings))
    on_ready(_base_url(listener, host))
    server.run(sockets=[listener])


@contextmanager
def running(settings: MockSettings | None = None, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve from a thread of this process on a free port, and stop at the end of the block.

    Yields:
        The base URL, for example `http://127.0.0.1:49213/v1`.
    """
    listener = _listen(host, 0)
    server = uvicorn.Server(_config(settings or MockSettings()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="testcard mock", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + _START_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise TestcardError("the bundled mock did not start; try `testcard mock` by itself")
            time.sleep(0.005)
        yield _base_url(listener, host)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _config(settings: MockSettings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        access_log=False,
        date_header=False,  # ours, so that a fault can spoil it
        http="h11",
        lifespan="off",
        log_config=None,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
        ws="none",
    )


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: connections wait in its queue from here on, before the server runs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; without, answers wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the mock cannot listen on {host}:{port}: {reason}; choose another --port or 0") from error
    return listener


def _base_url(listener: socket.socket, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}/v1"
