"""The target: everything that is particular about the API under test, as data.

targetfile.py reads targets from profiles and files. Nothing in testcard knows any server or model by name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import urlsplit

from testcard.core.errors import UsageError
from testcard.core.presentation import derived

ROLES = ("main", "second", "empty_wallet", "limited")
OPENAI_HOST = "api.openai.com"
FORMATS = ("url", "b64_json")
ASSUMABLE = ("sizes", "max_n", "response_formats")
CAPABILITIES = ("generations", "models")


@dataclass(frozen=True, slots=True)
class Limit:
    """A declared request limit: `requests` in any `window_s`; with a burst, that many times the even rate
    for 10 s."""

    requests: int
    window_s: float = 60.0
    burst: float | None = None

    @property
    def rate_per_s(self) -> float:
        return self.requests / self.window_s


@dataclass(frozen=True, slots=True)
class Slo:
    """A bound on a latency quantile."""

    quantile: float
    bound_s: float
    size: str | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A requirement whose failure is accepted until a date."""

    requirement: str
    reason: str
    expires: str
    """ISO date."""


@dataclass(frozen=True, slots=True)
class Target:
    """An API under test. The defaults are those of OpenAI's own contract for a server that nobody described."""

    base_url: str
    model: str | None = None
    name: str = "unnamed"
    about: str = ""
    """A line for people."""
    dialect: str = "openai"
    auth: str = "bearer"
    sizes: tuple[str, ...] = ()
    """Declared sizes; empty: none declared."""
    default_size: str | None = None
    max_n: int = 10
    response_formats: tuple[str, ...] = FORMATS
    default_response_format: str = "url"
    capabilities: tuple[str, ...] = ("generations",)
    media_hosts: tuple[str, ...] = ()
    price_usd_per_image: float | None = None
    timeout_s: float = 60.0
    ca_file: str | None = None
    limit: Limit | None = None
    limited: Limit | None = None
    keys: Mapping[str, str] = field(
        default_factory=lambda: {
            "main": "TESTCARD_API_KEY",
            "second": "TESTCARD_SECOND_KEY",
            "empty_wallet": "TESTCARD_EMPTY_WALLET_KEY",
            "limited": "TESTCARD_LIMITED_KEY",
        }
    )
    """Environment variables by role."""
    public_keys: Mapping[str, str] = field(default_factory=dict)
    """Keys that are no secret, by role: those of the bundled mock. Only profiles that ship may have them."""
    request: Mapping[str, Mapping[str, Any] | Literal[False]] = field(default_factory=dict)
    """Fields of the request body where the target differs from OpenAI's schema: keywords of JSON Schema, or False for
    a field that it does not take and that is never sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every API request; `env:NAME` takes the value from the environment."""
    assumed: tuple[str, ...] = ()
    """Which of ASSUMABLE nobody declared, so that they stand at what OpenAI's contract says of most models."""
    slos: tuple[Slo, ...] = ()
    known_failures: tuple[KnownFailure, ...] = ()

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def on_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def takes(self, name: str) -> bool:
        """Whether a field may stand in a request."""
        return self.request.get(name) is not False

    def describe(self) -> dict[str, Any]:
        """What reports may say about the target: no keys, no header values."""
        told: dict[str, Any] = {
            "name": self.name,
            "base_url": self.base_url,
            "model": self.model,
            "dialect": self.dialect,
            "auth": self.auth,
            "sizes": list(self.sizes),
            "default_size": self.default_size,
            "max_n": self.max_n,
            "response_formats": list(self.response_formats),
            "default_response_format": self.default_response_format,
            "price_usd_per_image": self.price_usd_per_image,
            "header_names": sorted(self.headers),
        }
        if self.about:
            told["about"] = self.about
        if self.request:
            told["request"] = {name: dict(rule) if rule else False for name, rule in self.request.items()}
        for name, limit in (("limit", self.limit), ("limited", self.limited)):
            if limit is not None:
                told[name] = {"requests": limit.requests, "window_s": limit.window_s, "burst": limit.burst}
        return told


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Keyring:
    """The keys of a run, by role. Never printed."""

    def __init__(self, target: Target, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        found = {role: environ.get(name, "").strip() for role, name in target.keys.items()}
        if not found.get("main") and target.host == OPENAI_HOST:
            found["main"] = environ.get("OPENAI_API_KEY", "").strip()
        found |= target.public_keys
        self._keys = {role: key for role, key in found.items() if key}
        self._names = dict(target.keys)
        self._private = [key for role, key in self._keys.items() if role not in target.public_keys]
        for role, key in self._keys.items():
            if not key.isascii() or not key.isprintable():
                raise UsageError(f"the key in {self._names[role]} holds characters that no header can carry")

    def get(self, role: str) -> str | None:
        """The key of that role, or None where its variable is not set."""
        return self._keys.get(role)

    def variable(self, role: str) -> str:
        """The environment variable that holds the key of that role."""
        return self._names.get(role, "TESTCARD_API_KEY")

    @property
    def values(self) -> tuple[str, ...]:
        """Every key, for redaction and for finding echoes."""
        return tuple(self._keys.values())

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key, and what is sent in place of the second one: nothing of it may be written."""
        second = self._keys.get("second")
        return (*self.values, *derived(second)) if second else self.values

    def __repr__(self) -> str:
        return f"Keyring({', '.join(sorted(self._keys))})"


def header_values(target: Target, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The target's headers with `env:NAME` replaced.

    Raises:
        UsageError: such a variable is not set.
    """
    environ = os.environ if environ is None else environ
    values = {}
    for name, value in target.headers.items():
        if value.startswith("env:"):
            variable = value.removeprefix("env:")
            if not environ.get(variable):
                raise UsageError(f"header {name} takes its value from {variable}, which is not set: export it")
            value = environ[variable]
            if not value.isprintable():
                raise UsageError(f"header {name}: the value of {variable} holds characters that no header can carry")
        values[name] = value
    return values


def header_secrets(target: Target, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The header values that are as secret as keys: from the environment, or under a name that says so."""
    values = header_values(target, environ)
    return tuple(
        values[name]
        for name, raw in target.headers.items()
        if raw.startswith("env:") or (_SECRET.search(name) and len(raw) >= _SHORTEST_SECRET)
    )


_SECRET = re.compile(r"(^|[-_])(api-?key|key|token|secret|password|cookie|signature)$", re.IGNORECASE)
_SHORTEST_SECRET = 8  # what is shorter would be redacted in every second sentence
