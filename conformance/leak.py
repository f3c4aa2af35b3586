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
_MASK = re.compile(r"\.\.|[*\u2022\u2026]|\\u20(?:22|26)")
_FEWEST_DIFFERENT = 12
_CREDENTIALS = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s/:@\"'<>]*:([^\s/:@\"'<>]+)@")
_NO_PASSWORDS = frozenset({"password", "passwd", "pass", "pwd", "secret", "key", "token"})
_ANY = re.compile(r"[/\\]|sk-|AKIA|hf_|r8_|AIza")
"""One of these stands in whatever the patterns find: most texts hold none."""
_URL = re.compile(r"\b(?:https?|grpc|redis|postgres(?:ql)?|amqp|s3|tcp)://[^\s\"'<>\\]+")
_INSIDE = (".internal", ".local", ".localdomain", ".svc", ".lan", ".intranet")
_MOST_SHOWN = 80

# An address or a name as connectors report it: `connect ECONNREFUSED 10.0.3.7:5432`. No range.
_IPV4 = re.compile(r"(?<![\w./-])(\d{1,3}(?:\.\d{1,3}){3})(?![\w-]|\.\w|/\d)")
_IPV6 = re.compile(r"(?<![\w:.])\[?((?:f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):[0-9a-f:]+)(?![\w:]|/\d)", re.IGNORECASE)
_PORT = re.compile(r"\]?:\d{2,5}(?!\d)")
# Four numbers without a port may as well be a version (openai>=10.2.1.0), a section, or the client's own address:
# only beside what is said of connections are they a host.
_CONNECTING = re.compile(
    r"connect(?!or)|ECONN|EHOST|ETIMEDOUT|time(?:d )?[ -]?out|unreachable|no route|resolv|\bdial|socket|upstream"
    r"|backend|(?<![a-z])(?:host|hostname|peer|replica|worker|pod)(?![a-z])",
    re.IGNORECASE,
)
_NEAR = 60
"""Characters on each side of an address."""
_VERSION = re.compile(r"(?:version|release|build|\bv|[<>=~^]=|~>)[\s:=\"']*$", re.IGNORECASE)
_EXAMPLE = re.compile(r"\b(?:such as|like|e\.g\.|for example|for instance|example:)[^;\n]{0,40}$", re.IGNORECASE)
_ANOTHERS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Networks of nobody's own (RFC 1918, 3927, 4193 and 4291): no address in them is one that a client could use."""
# A name with a port, or one that only a cluster or a cloud gives; `errors.internal` may be a code.
_NAME = re.compile(
    r"(?<![\w.@/-])((?:[a-z0-9][a-z0-9-]*\.)+(?:internal|local|localdomain|svc|lan|intranet)):\d{2,5}\b"
    r"|(?<![\w.@/-])((?:[a-z0-9][a-z0-9-]*\.)+(?:svc\.cluster\.local|ec2\.internal|compute\.internal))\b"
)
_PLACEHOLDERS = frozenset({"localhost", "host", "hostname", "server", "domain", "example", "name"})
_URL_OF_ONE_NAME = re.compile(r"\b(?:https?|grpc|redis|postgres(?:ql)?|amqp|tcp)://([a-z0-9][a-z0-9_-]*):\d{2,5}\b")


def path_or_key(text: str) -> str | None:
    """The path on a server's disk or the key that stands in a text, described, or None."""
    if _ANY.search(text) is None:
        return None
    found = _KEY.search(text)
    if found is not None:
        return f"a key, {found[0][:7]}…"
    found = _PATH.search(text)
    return f"the path {found[0][:_MOST_SHOWN]}" if found is not None else None


def secret_or_path(text: str, asked: str) -> str | None:
    """The key, the password or the path that stands in an error and not in what was asked, described, or None. Errors
    show how a key is written, and a part of the one that was sent: neither is one that opens anything.
    """
    text = text.replace("\\/", "/")  # as some write JSON
    for found in _KEY.finditer(text):
        masked = _MASK.match(text, found.end()) is not None
        if not masked and found[0] not in asked and not _is_made_up(found[0]):
            return f"a key, {found[0][:7]}…"
    for found in _CREDENTIALS.finditer(text):
        if found[0] not in asked and len(set(found[2])) > 1 and found[2].lower() not in _NO_PASSWORDS:
            return f"the password of {found[1]}"
    for found in _PATH.finditer(text):
        if found[0] not in asked and not _told_as_example(text, found.start()):
            return f"the path {found[0][:_MOST_SHOWN]}"
    return None


def _is_made_up(key: str) -> bool:
    """Whether a key is one of a document: `sk-your-key-here`, `sk-1234567890abcdef`, `AKIAIOSFODNN7EXAMPLE`."""
    letters = key.lower()
    random = len(set(letters)) >= _FEWEST_DIFFERENT and any(map(str.isdigit, letters))
    return not random or any(row in letters for row in ("12345", "abcde", "xxxx", "example"))


def _told_as_example(text: str, start: int) -> bool:
    return _EXAMPLE.search(text[max(0, start - _NEAR) : start]) is not None


def inside_address(text: str, known: frozenset[str]) -> str | None:
    """The URL in a text that names a host inside the server's network, described, or None.

    Args:
        known: hosts that clients are told of; none of them is inside.
    """
    for found in _URL.finditer(text) if "://" in text else ():
        try:
            host = urlsplit(found[0]).hostname or ""
        except ValueError:
            continue
        if host not in known and is_inside(host):
            return f"the address {found[0].partition('?')[0][:_MOST_SHOWN]}"
    return None


def inside_host(text: str, known: frozenset[str], asked: str = "") -> str | None:
    """The address or the name of a server's own network in a message, with or without a URL around it, or None.

    Args:
        known: hosts that clients are told of; none of them is inside.
        asked: what the client sent; a server that repeats it tells nothing of its own.
    """
    text = text.replace("\\/", "/")  # as some write JSON

    def told(name: str, start: int) -> bool:
        return name in known or name in asked or _told_as_example(text, start)

    for match in _URL.finditer(text) if "://" in text else ():
        found = inside_address(match[0], known)
        if found is not None and not told(match[0], match.start()):
            return found
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        if _is_nobodys(match[1]) and not told(match[1], match.start()) and _is_of_a_connection(text, match):
            return f"the address {match[1]}"
    for match in (*_NAME.finditer(text), *_URL_OF_ONE_NAME.finditer(text)):
        name = next(group for group in match.groups() if group)
        if name not in _PLACEHOLDERS and not told(name, match.start()):
            return f"the host {name[:_MOST_SHOWN]}"
    return None


def _is_of_a_connection(text: str, address: re.Match[str]) -> bool:
    """Whether a message tells of reaching that address: it has a port, or words around it say so."""
    before, after = text[: address.start()][-_NEAR:], text[address.end() :][:_NEAR]
    if _PORT.match(after) is not None or ":" in address[1]:
        return True
    return _VERSION.search(before) is None and _CONNECTING.search(f"{before} {after}") is not None


def _is_nobodys(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in _ANOTHERS)


def is_inside(host: str) -> bool:
    """Whether a host can only be one of a network's own: a private address, or a name of no public domain."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.rstrip(".").endswith((*_INSIDE, ".localhost"))
    return address.is_private or address.is_loopback or address.is_link_local
