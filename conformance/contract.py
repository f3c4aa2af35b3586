"""The contract of one target: what the schemas say, narrowed by what the target declares."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from testcard import schemas
from testcard.conformance.leak import is_inside
from testcard.core.limit import BURST_S
from testcard.core.target import Keyring, Limit, Target


@dataclass(frozen=True)
class Contract:
    """What a target is held to."""

    target: Target
    dialect: schemas.Dialect

    @classmethod
    def of(cls, target: Target) -> Contract:
        return cls(target, schemas.dialect(target.dialect))

    @cached_property
    def request_schema(self) -> dict[str, Any]:
        """CreateImageRequest with the target's own largest n, formats and rules about fields."""
        schema: dict[str, Any] = copy.deepcopy(schemas.openapi()["components"]["schemas"]["CreateImageRequest"])
        fields = schema["properties"]
        fields["n"]["maximum"] = self.target.max_n
        fields["response_format"]["enum"] = [*self.target.response_formats, None]
        for name, rule in self.target.request.items():
            fields[name] = {**fields.get(name, {}), **rule} if rule else False
        return schema

    @cached_property
    def portrait(self) -> str | None:
        """A declared size higher than wide."""
        return next((size for size in self.target.sizes if _ratio(size) < 1), None)

    @cached_property
    def landscape(self) -> str | None:
        """A declared size wider than high."""
        return next((size for size in self.target.sizes if _ratio(size) > 1), None)

    @cached_property
    def smallest(self) -> str | None:
        """The declared size with the fewest pixels."""
        return min(self.target.sizes, key=lambda size: _sides(size)[0] * _sides(size)[1], default=None)

    @cached_property
    def known_hosts(self) -> frozenset[str]:
        """The hosts that its clients are told of."""
        hosts = {self.target.host, *(urlsplit(f"//{host}").hostname or "" for host in self.target.media_hosts)}
        return frozenset(hosts | ({"localhost", "127.0.0.1", "::1"} if self.target.on_loopback else set()))

    @cached_property
    def inside(self) -> bool:
        """Whether it stands inside a network; such an API may well name its neighbours to those who reach it."""
        return is_inside(self.target.host) and not self.target.on_loopback

    def nullable(self, field: str) -> bool:
        """Whether the request schema lets a field be null, which means: as if it were left out."""
        rule = self.request_schema["properties"].get(field)
        return bool(rule) and "null" in rule.get("type", ())

    @cached_property
    def assumed(self) -> frozenset[str]:
        """What nobody declared and OpenAI's models differ in: sizes, the largest n, and response_format, which GPT
        image models do not take. The other dialects' documents say it themselves.
        """
        return frozenset(self.target.assumed if self.dialect.name == "openai" else ())

    def took_for_granted(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """The undeclared things that a good request makes use of: a refusal of it may be right."""
        n = fields.get("n")
        used = {
            "sizes": fields.get("size") is not None,
            "max_n": isinstance(n, int) and n > 1,
            "response_formats": "response_format" in fields,
        }
        return tuple(name for name, uses in used.items() if uses and name in self.assumed)

    def window_s(self, role: str | None) -> float | None:
        """The window of a key of that role, as far as it is declared."""
        limit = self._limit(role)
        if limit is None:
            return None
        return max(limit.window_s, BURST_S) if limit.burst else limit.window_s

    def longest_wait_s(self, role: str | None) -> float | None:
        """The longest wait, in whole seconds, that a 429 for a key of that role can honestly ask for.

        A sliding counter takes the requests of the last window as evenly spread, and so lets the first of the
        next one through a share of 1/limit of the window later.
        """
        limit, window = self._limit(role), self.window_s(role)
        if limit is None or window is None:
            return None
        return max(math.ceil(window), math.floor(window + limit.window_s / limit.requests))

    def _limit(self, role: str | None) -> Limit | None:
        return self.target.limited if role == "limited" else self.target.limit

    def unmet(
        self, requirement: schemas.Requirement, keyring: Keyring, *, burst_allowed: bool
    ) -> tuple[str, str] | None:
        """Why a requirement cannot be judged here: an outcome and its reason; None where it can."""
        if self.dialect.name not in requirement.dialects:
            return "not-applicable", f"the dialect {self.dialect.name} does not ask for it"
        for need in requirement.needs:
            unmet = self._unmet(need, keyring, burst_allowed)
            if unmet is not None:
                return unmet
        return None

    def _unmet(self, need: str, keyring: Keyring, burst_allowed: bool) -> tuple[str, str] | None:
        target = self.target
        kind, _, name = need.partition(":")
        if kind == "key":
            if target.auth == "none" or keyring.get(name):
                return None
            return "not-judged", f"no {name.replace('_', ' ')} key: set {keyring.variable(name)}"
        na, missing = "not-applicable", "not-judged"
        declare = f"it takes a burst: pass --confirm-host {target.host}"
        checks: dict[str, tuple[bool, str, str]] = {
            "bearer": (target.auth == "bearer", na, 'the target asks for no key (auth = "none")'),
            "format": (name in target.response_formats, na, f"the target does not declare {name}"),
            "field": (target.takes(name), na, f"the target takes no {name}"),
            "fields": (any(target.request.values()), na, "the target declares no further field: see [target.request]"),
            "outside": (not target.on_loopback, na, "it is asked of targets outside loopback only"),
            "https": (target.base_url.startswith("https:"), na, "the target itself is at http (transport.tls)"),
            "n": (target.max_n >= 2, na, "the target declares max_n = 1"),
            "model": (target.model is not None, missing, "no model named: pass --model"),
            "models": ("models" in target.capabilities, na, "the target does not declare the capability models"),
            "default-size": (target.default_size is not None, na, "the target declares no default size"),
            "media-hosts": (bool(target.media_hosts), na, "the target declares no media host"),
            "limited": (target.limited is not None, missing, "no limit of the limited key: add [target.limited]"),
            "burst-allowed": (burst_allowed, missing, declare),
        }
        holds, outcome, reason = checks[kind]
        return None if holds else (outcome, reason)


def _sides(size: str) -> tuple[int, int]:
    width, height = size.split("x")
    return int(width), int(height)


def _ratio(size: str) -> float:
    width, height = _sides(size)
    return width / height
