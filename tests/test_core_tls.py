"""TLS as users meet it: a certificate of their own authority, one of nobody's, and one of another host."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certificates import certificate_of
from loaded import load_of, plan_of
from scripted import Shelf, aim, ask, reply, silent
from testcard.conformance import Contract
from testcard.conformance.judge import judge
from testcard.core.budget import Budget
from testcard.core.exchange import Exchange
from testcard.core.redact import Redactor
from testcard.core.send import Sender
from testcard.core.target import Keyring, Target
from wild_server import read

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="install openssl to run this")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` that vouches for itself, with its key in the same file."""
    return certificate_of(tmp_path_factory.mktemp("tls"))


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Answers every connection with one 200 over TLS; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                    read(secure.makefile("rb"))  # all of it: a rest unread would reset the connection
                    secure.sendall(reply(200, {}))
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def sent(target: Target, **changes: Any) -> Exchange:
    sender = Sender(target, Keyring(target, {}), judge=silent, sink=Shelf(), budget=Budget(), redactor=Redactor(()))
    try:
        return sender.send(ask(**changes))
    finally:
        sender.close()


def judged(exchange: Exchange) -> tuple[set[str], set[str]]:
    """What holds and what does not, if the host were not on loopback."""
    target = replace(aim("https://api.example.com/v1"), timeout_s=5.0)
    judgement = judge(exchange, Contract.of(target))
    broken = {finding.requirement for finding in judgement.broken}
    return set(judgement.held) & SECURE, broken & SECURE


SECURE = {"transport.tls", "transport.no-plain-http"}


def test_an_authority_of_the_users_own_is_trusted(certificate: Path) -> None:
    """ca_file: the answer comes, and it came over TLS."""
    with serving(certificate) as port:
        exchange = sent(aim(f"https://localhost:{port}/v1", ca_file=str(certificate / "certificate.pem")))
    assert exchange.status == 200
    assert exchange.failure is None
    assert judged(exchange) == ({"transport.tls"}, set())


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_an_authority_that_the_environment_names_is_trusted(
    certificate: Path, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own variables, a file or a folder of hashed names: in a check and under load alike."""
    authority = certificate / "certificate.pem"
    if variable == "SSL_CERT_DIR":
        name = ["openssl", "x509", "-noout", "-hash", "-in", str(authority)]
        digest = subprocess.run(name, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
        shutil.copy(authority, tmp_path / f"{digest}.0")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(tmp_path if variable == "SSL_CERT_DIR" else authority))
    with serving(certificate) as port:
        target = aim(f"https://localhost:{port}/v1")
        assert sent(target).status == 200
        loaded = load_of(plan_of(target, rate_per_s=10, duration_s=0.2), target, tmp_path / "run")
    assert [(record.status, record.failure) for record in loaded.records] == [(200, None)] * 2


@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("127.0.0.1", True)])
def test_a_certificate_that_does_not_hold_is_a_failure(certificate: Path, host: str, trusted: bool) -> None:
    """Of an authority that nobody knows, or for another name: `tls`, with the reason, and nothing is sent."""
    with serving(certificate) as port:
        ca_file = str(certificate / "certificate.pem") if trusted else None
        exchange = sent(aim(f"https://{host}:{port}/v1", ca_file=ca_file))
    assert exchange.response is None
    assert exchange.failure is not None
    assert exchange.failure.kind == "tls"
    assert ("mismatch" if trusted else "self-signed") in exchange.failure.message.replace("self signed", "self-signed")
    assert judged(exchange) == (set(), {"transport.tls"})


def test_http_to_a_port_of_tls_is_a_refusal(certificate: Path) -> None:
    """A request in the clear carries none of the target's headers, and what TLS says to it is no answer."""
    clear = {"in_the_clear": True, "authorization": "Bearer nobody", "judges": ("transport.no-plain-http",)}
    with serving(certificate) as port:
        target = aim(f"https://localhost:{port}/v1", ca_file=str(certificate / "certificate.pem"))
        exchange = sent(replace(target, headers={"x-team": "blue"}), **clear)
    assert exchange.url.startswith("http://localhost:")
    assert "x-team" not in {name for name, _ in exchange.sent_headers}
    assert exchange.response is None
    assert judged(exchange) == ({"transport.no-plain-http"}, set())
