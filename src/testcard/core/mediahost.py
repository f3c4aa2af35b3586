"""Which hosts a picture may be fetched from. An answer names the URL, so the answer is not trusted."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from testcard.core.target import Target, is_loopback


def matches(parts: SplitResult, declared: str) -> bool:
    """Whether a URL is on a declared `host` (any port) or `host:port`."""
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return False
    try:
        wanted = urlsplit(f"//{declared}")
        return parts.hostname == wanted.hostname and wanted.port in (None, port)
    except ValueError:
        return parts.hostname == declared


def refusal(url: str, target: Target) -> str | None:
    """Why a picture's URL must not be fetched, or None where it may."""
    found = addresses(url, target)
    return found if isinstance(found, str) else None


def addresses(url: str, target: Target) -> tuple[str, ...] | str:
    """The addresses from which a picture may be fetched, or why it must not be.

    Declared hosts, the target's own host and public addresses are fine; private, link-local and loopback
    addresses that nobody declared are not. Whoever fetches must connect to the addresses that were checked: a name
    may resolve to others the next time. Empty: the host is trusted by its name, wherever that leads.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it is not an absolute http(s) URL"
    if parts.username or parts.password:
        return "it carries credentials"
    same = parts.hostname == target.host or (target.on_loopback and is_loopback(parts.hostname))
    if same or any(matches(parts, host) for host in target.media_hosts):
        return ()  # `localhost` and 127.0.0.1 are one host by two names, and servers mix them
    try:
        found = socket.getaddrinfo(parts.hostname, port or 443, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return f"the host {parts.hostname} does not resolve here"
    checked = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in checked:
        if not ipaddress.ip_address(address.partition("%")[0]).is_global:
            return f"{parts.hostname} is the private address {address}: name it in media_hosts of a target file"
    return checked
