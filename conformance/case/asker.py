"""Builds requests from a contract. Nothing is sent here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from testcard.conformance.contract import Contract
from testcard.core.exchange import Request, Violation
from testcard.core.target import ROLES

Cases = Callable[["Asker"], Iterable[Request]]
"""Makes the requests that a requirement is judged by."""


class Asker:
    """Builds the requests of one check. Prompts differ from request to request and from seed to seed, so
    that neither a cache nor a duplicate can hide behind equal prompts.
    """

    def __init__(
        self, contract: Contract, seed: int = 1, *, thorough: bool = False, roles: Iterable[str] = ROLES
    ) -> None:
        self.contract = contract
        self.target = contract.target
        self.seed = seed
        self.thorough = thorough
        self.roles = frozenset(roles)
        """The roles that there is a key for."""

    def body(self, subject: str, **fields: Any) -> dict[str, Any]:
        """A good body about a subject, without the fields that the target does not take."""
        salt = self.salt(subject, 8)
        base: dict[str, Any] = {"prompt": f"A test card for {subject}, no. {salt}"}
        if self.target.model is not None:
            base["model"] = self.target.model
        return base | {name: value for name, value in fields.items() if self.target.takes(name)}

    def together(self, case: str, body: dict[str, Any], *parts: Request) -> Request:
        """A request that asks for what several good ones ask for, at the price of one."""
        may_refuse = all(part.may_refuse for part in parts)
        images = body.get("n") or 1
        return Request(
            case=case,
            requirement=parts[0].requirement,
            body=json_body(body),
            images=images,
            may_refuse=may_refuse,
            parts=parts,
        )

    def place(self, number: int) -> dict[str, str]:
        """A size for a request that is free to choose one: requests in flight together are told apart by it."""
        sizes = self.target.sizes
        return {"size": sizes[number % len(sizes)]} if sizes else {}

    def good(self, case: str, requirement: str, body: dict[str, Any], **changes: Any) -> Request:
        """A request that must be answered with pictures."""
        return Request(case=case, requirement=requirement, body=json_body(body), images=body.get("n") or 1, **changes)

    def bad(self, case: str, body: Any, *broken: Violation, **changes: Any) -> Request:
        """A request that must be refused."""
        data = body if isinstance(body, bytes) else json_body(body)
        return Request(case=case, body=data, violations=broken, **changes)

    def salt(self, subject: str, length: int = 10) -> str:
        """Hex digits that belong to a subject and this check's seed."""
        return hashlib.sha256(f"{self.seed} {subject}".encode()).hexdigest()[:length]


def json_body(value: Any) -> bytes:
    """A value as a JSON text."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair: only an escape can say it
        return json.dumps(value).encode()
