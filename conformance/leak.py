"""The inside of a server in text that others read: paths on its disk, addresses of its network, keys."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Folders of servers and of the people who run them, and what follows; an API's own paths begin with its version.
_PATH = re.compile(
    r"(?:(?<![\w./%~-])|(?<=file://))"
    r"/(?:home|root|Users|srv|tmp|var/(?:lib|log|tmp|www|folders|cache|run)|private/var|opt|mnt|proc|etc|workspace"
    r"|sgl-workspace|usr/(?:local|lib|src|share)|dev/shm)/[\w.@+-][^\s\"'<>|\x00-\x1f]*"
    r"|\b[A-Za-z]:\\(?:[\w .()-]+\\)+[\w .()-]+"
)
# The forms of keys that their issuers publish: OpenAI and its likes, AWS, Hugging Face, Replicate, Google.
_KEY = re.compile(
    r"(?<![\w-])(?:sk-[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}(?!\w)|hf_[A-Za-z]{30,}|r8_[A-Za-z0-9]{30,}|AIza[\w-]{35}(?!\w))"
)
_URL = re.compile(r"\b(?:https?|grpc|redis|postgres(?:ql)?|amqp|s3|tcp)://[^\s\"'<>\\]+")
_INSIDE = (".internal", ".local", ".localdomain", ".svc", ".lan", ".intranet")
_MOST_SHOWN = 80


def path_or_key(text: str) -> str | None:
    """The path on a server's disk or the key that stands in a text, described, or None."""
    found = _KEY.search(text)
    if found is not None:
        return f"a key, {found[0][:7]}…"
    found = _PATH.search(text)
    return f"the path {found[0][:_MOST_SHOWN]}" if found is not None else None


def inside_address(text: str, known: frozenset[str]) -> str | None:
    """The URL in a text that names a host inside the server's network, described, or None.

    Args:
        known: hosts that clients are told of; none of them is inside.
    """
    for found in _URL.finditer(text):
        try:
            host = urlsplit(found[0]).hostname or ""
        except ValueError:
            continue
        if host not in known and is_inside(host):
            return f"the address {found[0].partition('?')[0][:_MOST_SHOWN]}"
    return None


def is_inside(host: str) -> bool:
    """Whether a host can only be one of a network's own: a private address, or a name of no public domain."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.rstrip(".").endswith((*_INSIDE, ".localhost"))
    return address.is_private or address.is_loopback or address.is_link_local
