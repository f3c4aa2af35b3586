"""Refusals, and the error document that each dialect makes of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testcard.mock_server.message import Answer
from testcard.schemas import Dialect

_SLUGS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_credits",
    404: "not_found",
    429: "rate_limit_error",
    500: "server_error",
    503: "service_unavailable",
}
"""Where the dialect leaves the slug open."""


class Refusal(Exception):
    """The call ends here, with this status.

    Args:
        message: one sentence for a person.
        param: the field of the body that is at fault, if one is.
        slug: error.type, where it is not the one that the dialect documents.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        slug: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.slug = slug
        self.headers = headers or {}


def refused(refusal: Refusal, dialect: Dialect) -> Answer:
    """The answer that tells a refusal in the words of a dialect."""
    status = refusal.status
    if status in dialect.refusal and status not in dialect.refusal_usual:
        status = dialect.refusal_usual[0]
    error: dict[str, Any] = {"message": refusal.message, "type": refusal.slug or _slug(status, dialect)}
    if dialect.code == "status":
        error["code"] = status
    elif dialect.code == "string-or-null":
        error["code"] = None
    if dialect.param == "string-or-null":
        error["param"] = refusal.param
    return Answer(status, {"error": error}, headers=tuple(refusal.headers.items()))


def _slug(status: int, dialect: Dialect) -> str:
    row = dialect.errors.get(status)
    if row is not None and row.types:
        return row.types[0]
    return _SLUGS.get(status, "server_error" if status >= 500 else "invalid_request_error")
