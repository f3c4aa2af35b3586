"""One HTTP exchange: sent, timed, and told without an exception, whatever the server does.

httpx is touched in this module only, so that a fork of it could take its place. It stands on network.py.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpcore
import httpx

from testcard.core.errors import UsageError
from testcard.core.exchange import Failure, Response
from testcard.core.network import Network, Stream, has_bare_lf
from testcard.core.redact import Redactor
from testcard.core.target import Target
from testcard.core.transcript import MOST_BYTES, decoded
from testcard.core.trust import authorities

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_NETWORK_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What one HTTP exchange gave, before it is anybody's Exchange."""

    sent_s: float
    at: str
    first_byte_s: float | None
    last_byte_s: float | None
    response: Response | None
    failure: Failure | None
    bare_lf: bool | None = None
    """Whether a line of the answer's head ends in LF without CR; None: nobody looked."""


class Client:
    """Asks one target, or the hosts of its pictures. Thread-safe; follows no redirect, knows no password file.

    Args:
        started: the run's zero on `time.monotonic()`.
        network: on which clients that share it keep no connection unused while one of theirs waits in vain.
    """

    def __init__(self, target: Target, redactor: Redactor, started: float, network: Network) -> None:
        self._timeout_s = target.timeout_s
        self._redactor = redactor
        self._started = started
        self._network = network
        self._client = httpx.Client(
            transport=_Transport(target, self._network),
            timeout=httpx.Timeout(target.timeout_s, connect=min(10.0, target.timeout_s)),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
        checked: tuple[str, ...] = (),
        query: str = "",
    ) -> Reply:
        """One exchange, complete `timeout_s` after it began or not at all.

        Args:
            checked: the addresses to connect to, where the host's name alone is not to be trusted.
            query: what goes over the wire behind the URL, and into no log: httpx logs the URLs that it asks for.
        """
        at = utc_now()
        begun = time.monotonic()
        first = last = bare_lf = None
        response = None
        failure = None
        chunks: list[bytes] = []
        size = 0
        lines = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers]
        asked = {"target": httpx.URL(url + query).raw_path} if query else {}
        try:
            with (
                self._network.exchange(begun + self._timeout_s, checked) as watch,
                self._client.stream(method, url, headers=lines, content=body, extensions=asked) as answer,
            ):
                first = time.monotonic() - self._started
                received = tuple(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw
                )
                try:
                    for chunk in answer.iter_raw():
                        chunks.append(chunk)
                        size += len(chunk)
                        if size > MOST_BYTES:
                            raise httpcore.ReadError(f"the answer is longer than {MOST_BYTES} bytes")
                finally:
                    data, problem = decoded(b"".join(chunks), answer.headers.get("content-encoding", ""))
                    response = Response(answer.status_code, received, data)
            bare_lf = has_bare_lf(watch.received)
            last = (watch.complete_at or time.monotonic()) - self._started
            if watch.excess:
                said = self._redactor.data(watch.excess)[:40]
                problem = f"{len(watch.excess)} bytes follow the end of the answer: {said!r}"
            if problem:
                failure = Failure("framing", problem)
        except httpcore.LocalProtocolError as error:
            raise UsageError(f"a header of the target cannot be sent: {self._redactor.text(str(error))}") from error
        except (*_NETWORK_ERRORS, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            failure = self._failure(error)
        if failure is not None and failure.kind == "timeout" and response is not None and _whole(response):
            came = f"{size} bytes, a whole JSON text, and no end of the answer within {self._timeout_s:g} s"
            failure = Failure("framing", f"{came} ({_announced(response)})")
        return Reply(begun - self._started, at, first, last, response, failure, bare_lf)

    def _failure(self, error: Exception) -> Failure:
        message = _ERRNO.sub("", self._redactor.text(str(error))) or type(error).__name__
        match error:
            case httpcore.TimeoutException():
                return Failure("timeout", f"no complete answer within {self._timeout_s:g} s")
            case httpcore.ConnectError() if "CERTIFICATE" in message.upper() or "SSL" in message.upper():
                return Failure("tls", message)
            case httpcore.ConnectError():
                return Failure("connect", message)
            case httpcore.RemoteProtocolError() if "disconnected without" not in message:
                return Failure("framing", message)
        return Failure("closed", message)


def _whole(response: Response) -> bool:
    """Whether nothing is missing in what came: whoever waits for more waits for what was announced, and never sent."""
    return response.json_error is None and isinstance(response.json, dict)


def _announced(response: Response) -> str:
    for name in ("content-length", "transfer-encoding"):
        if response.header(name) is not None:
            return f"{name.title()}: {response.header(name)}"
    return "its length was not announced"


class _Transport(httpx.BaseTransport):
    """httpx on our network; off loopback through the proxies that the environment names."""

    def __init__(self, target: Target, network: Network) -> None:
        self._network = network
        self._ssl = _ssl(target)
        self._trust_env = not target.on_loopback
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool(self._proxy(url.scheme, url.host)).handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer, request.method))

    def _proxy(self, scheme: str, host: str) -> str | None:
        if not self._trust_env or urllib.request.proxy_bypass(host):
            return None
        proxies = urllib.request.getproxies()
        return proxies.get(scheme) or proxies.get("all")

    def _pool(self, proxy: str | None) -> httpcore.ConnectionPool:
        usual: dict[str, Any] = {
            "ssl_context": self._ssl,
            "max_connections": 64,
            "max_keepalive_connections": 16,
            "keepalive_expiry": 4.0,
            "network_backend": self._network,
        }
        with self._lock:
            if proxy not in self._pools:
                if proxy is None:
                    self._pools[proxy] = httpcore.ConnectionPool(**usual)
                else:
                    if not proxy.startswith(("http:", "https:")):
                        scheme = proxy.partition(":")[0]
                        raise UsageError(f"the environment names a {scheme} proxy: only http and https ones are spoken")
                    named = httpx.Proxy(proxy)
                    self._pools[proxy] = httpcore.HTTPProxy(str(named.url), named.raw_auth, **usual)
            return self._pools[proxy]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer; at its end the connection is looked at once more, before anybody else gets it."""

    def __init__(self, answer: httpcore.Response, method: str) -> None:
        self._answer = answer
        self._method = method

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()
        stream = self._answer.extensions["network_stream"]
        if isinstance(stream, Stream):
            stream.end(self._method)

    def close(self) -> None:
        self._answer.close()


def _ssl(target: Target) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities(target.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"ca_file {target.ca_file} holds no certificates: {error}") from error


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
