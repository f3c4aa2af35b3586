"""What is promised, as data: operations, requirements, dialects, targets, claims, and the shapes of our records.

This room imports nothing of testcard. Its rows are plain data; whoever uses one gives it its meaning.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = [
    "Candidate",
    "Claim",
    "Dialect",
    "ErrorRow",
    "Requirement",
    "areas",
    "candidates",
    "claims",
    "dialect",
    "dialects",
    "json_schema",
    "openapi",
    "profile",
    "profiles",
    "requirements",
]

_HERE = files(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A promise that was considered for the catalogue."""

    promise: str
    into: tuple[str, ...] = ()
    """The requirements that ask for it; none: it was dropped."""
    because: str = ""
    """Why it was dropped, or what the requirements leave out."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the catalogue."""

    id: str
    """`area.name`, stable for ever."""
    level: str
    """`MUST` or `SHOULD`."""
    statement: str
    source: str
    """The document by name, section and address."""
    openai_source: str | None
    """Where OpenAI's own documents ask for the same, if another document is the source."""
    observed: str
    """`any-answer`, `free`, `billed` or `special-key`: what it costs to see it."""
    how: str
    """How it is tested."""
    dialects: tuple[str, ...]
    needs: tuple[str, ...]
    """What the target must declare, or which key must be there."""
    occasion: bool
    """Whether a run may never meet it through no fault of anybody (a 503, say)."""
    status: int | None
    """The status whose error it describes."""

    @property
    def area(self) -> str:
        return self.id.partition(".")[0]

    def source_in(self, dialect: str) -> str:
        """The source for a target that is held to a dialect: nobody is measured by another vendor's page."""
        return self.openai_source if dialect == "openai" and self.openai_source else self.source


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What a dialect says about one status."""

    types: tuple[str, ...]
    """Slugs that error.type may be; empty: any."""
    retryable: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """An error contract."""

    name: str
    describe: str
    source: str
    code: str
    """`any`, `status` (an integer equal to the status) or `string-or-null`."""
    param: str
    """`any` or `string-or-null`."""
    refusal: tuple[int, ...]
    """Statuses with which a forbidden body may be refused."""
    refusal_usual: tuple[int, ...]
    """Those that deserve no warning."""
    errors: dict[int, ErrorRow]


@dataclass(frozen=True, slots=True)
class Claim:
    """A word of a vendor's page, read as a bound on a quantile."""

    id: str
    word: str
    statement: str
    source: str
    bound_from: str
    """Where the bound comes from; never the vendor."""
    bound_url: str
    quantile: float
    bound_s: float
    size: str
    confidence: float
    measure: str = "latency"
    """`latency` of an arrival, or `freshness`: the age of the picture on the screen of one who types."""


_AREAS = (
    "transport",
    "auth",
    "generate",
    "response",
    "image",
    "media",
    "error",
    "limit",
    "concurrency",
    "identity",
    "models",
    "sdk",
)


def areas() -> tuple[str, ...]:
    """The areas of the catalogue, in its order."""
    return _AREAS


@cache
def requirements() -> dict[str, Requirement]:
    """The catalogue: requirements by id, in its order."""
    sources = _toml("sources.toml")
    every = tuple(dialects())
    found = {}
    for area in _AREAS:
        for row in _toml(f"requirements/{area}.toml")["requirement"]:
            found[row["id"]] = Requirement(
                id=row["id"],
                level=row["level"],
                statement=row["statement"],
                source=_source(sources, row),
                openai_source=_source(sources, row["openai"]) if "openai" in row else None,
                observed=row["observed"],
                how=row["how"],
                dialects=tuple(row.get("dialects", every)),
                needs=tuple(row.get("needs", ())),
                occasion=row.get("occasion", False),
                status=row.get("status"),
            )
    return found


def _source(sources: dict[str, Any], row: dict[str, Any]) -> str:
    """A document by name, the section of the row, and the document's address."""
    source = sources[row["source"]]
    address = f" ({source['url']})" if source["url"] else ""
    return f"{source['name']}, {row['section']}{address}"


@cache
def dialects() -> dict[str, Dialect]:
    """The dialects by name."""
    return {
        name: Dialect(
            name=name,
            describe=row["describe"],
            source=row["source"],
            code=row["code"],
            param=row["param"],
            refusal=tuple(row["refusal"]),
            refusal_usual=tuple(row["refusal_usual"]),
            errors={
                int(status): ErrorRow(tuple(error["types"]), error["retryable"], error["meaning"])
                for status, error in row["errors"].items()
            },
        )
        for name, row in _toml("dialects.toml").items()
    }


def dialect(name: str) -> Dialect:
    """The dialect of that name."""
    return dialects()[name]


@cache
def claims() -> dict[str, Claim]:
    """The claims by id."""
    return {row["id"]: Claim(**row) for row in _toml("claims.toml")["claim"]}


@cache
def profiles() -> tuple[str, ...]:
    """The names of the target profiles that ship."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in (_HERE / "targets").iterdir()))


def profile(name: str) -> dict[str, Any]:
    """The fields of a target profile, over those of the profile that it extends."""
    own = _toml(f"targets/{name}.toml")
    base = profile(own.pop("extends")) if "extends" in own else {}
    tables = {key: base[key] | value for key, value in own.items() if key in base and isinstance(value, dict)}
    return base | own | tables


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the operations."""
    document: dict[str, Any] = json.loads((_HERE / "openapi.json").read_text(encoding="utf-8"))
    return document


@cache
def json_schema(name: str) -> dict[str, Any]:
    """A JSON Schema of our own files: `records`, `summary` or `history`."""
    schema: dict[str, Any] = json.loads((_HERE / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def _toml(path: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / path).read_text(encoding="utf-8"))


@cache
def candidates() -> tuple[Candidate, ...]:
    """Everything that was considered, and what became of it."""
    rows = tomllib.loads((_HERE / "candidates.toml").read_text(encoding="utf-8"))["candidate"]
    return tuple(Candidate(row["promise"], tuple(row.get("into", ())), row.get("because", "")) for row in rows)
