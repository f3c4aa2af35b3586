"""The target: everything that is particular about the API under test, as data.

A target comes from a profile that ships (schemas/targets/), from a file that the user names, or from
testcard.toml in the working directory; options of the command line override it. Nothing else in testcard
knows any server or model by name.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.quantity import size_px

ROLES = ("main", "second", "empty_wallet", "limited")
OPENAI_HOST = "api.openai.com"
_FORMATS = ("url", "b64_json")
_CAPABILITIES = ("generations", "models")


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
    dialect: str = "openai"
    auth: str = "bearer"
    sizes: tuple[str, ...] = ()
    """Declared sizes; empty: none declared."""
    default_size: str | None = None
    max_n: int = 10
    response_formats: tuple[str, ...] = _FORMATS
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
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every API request; `env:NAME` takes the value from the environment."""
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
        for name, limit in (("limit", self.limit), ("limited", self.limited)):
            if limit is not None:
                told[name] = {"requests": limit.requests, "window_s": limit.window_s, "burst": limit.burst}
        return told


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
        values[name] = value
    return values


def header_secrets(target: Target, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The header values that came from the environment; they are as secret as keys."""
    values = header_values(target, environ)
    return tuple(values[name] for name, raw in target.headers.items() if raw.startswith("env:"))


def parse_headers(lines: Iterable[str]) -> dict[str, str] | None:
    """Header options, `Name: value`; None where there are none.

    Raises:
        UsageError: a line has no colon, or names the header that carries keys.
    """
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise UsageError(f"--header {line!r}: write 'Name: value'")
        if name.strip().lower() == "authorization":
            raise UsageError("--header Authorization: keys come from the environment; set TESTCARD_API_KEY")
        headers[name.strip()] = value.strip()
    return headers or None


def find_target(
    name: str | None, overrides: Mapping[str, Any], directory: Path, *, confirmed_host: str | None = None
) -> Target | None:
    """The target that options and files name, or None where nothing names one.

    Args:
        name: `--target`: a profile that ships, or a file.
        overrides: fields from the command line; None values are ignored.
        directory: the working directory, where testcard.toml and pyproject.toml are looked for.
        confirmed_host: the host that the user confirmed.

    Raises:
        UsageError: a file or a field is wrong.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    where, tables, local = _tables(name, directory)
    profile = tables.get("target", {})
    if not profile and not given.get("base_url"):
        return None
    base = dict(_profile(profile["extends"], where)) if "extends" in profile else {}
    merged = _merge(_merge(base, profile, where), given, "the command line")
    merged.pop("extends", None)
    if "name" not in profile and "name" not in given and given.get("base_url"):
        merged.setdefault("name", urlsplit(str(given["base_url"])).hostname or "unnamed")
    target = _build(merged, tables, where)
    if local:
        _check_local(target, where, base.get("base_url"), given, confirmed_host)
    return target


def profile_target(name: str) -> Target:
    """A profile that ships, as a target."""
    return _build(dict(_profile(name, "targets")), {}, name)


def _tables(name: str | None, directory: Path) -> tuple[str, dict[str, Any], bool]:
    """Where the tables come from, the tables, and whether they were merely found in the working directory."""
    found = _working_directory_tables(directory)
    if name is None:
        return (*found, True) if found else ("", {}, False)
    extra = {key: found[1][key] for key in ("slo", "known-failure") if key in found[1]} if found else {}
    path = Path(name)
    if name in schemas.profiles():
        return name, extra | {"target": {"extends": name}}, False
    if path.suffix == ".toml" or path.is_file():
        return name, extra | _read_toml(path), False
    raise UsageError(
        f"--target {name}: neither a profile nor a file. Profiles: {', '.join(schemas.profiles())}"
        + _suggest(name, schemas.profiles())
    )


def _working_directory_tables(directory: Path) -> tuple[str, dict[str, Any]] | None:
    own = directory / "testcard.toml"
    if own.is_file():
        return own.name, _read_toml(own)
    pyproject = directory / "pyproject.toml"
    if pyproject.is_file():
        tables = _read_toml(pyproject).get("tool", {}).get("testcard")
        if tables is not None:
            return "pyproject.toml, [tool.testcard]", tables
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error


def _profile(name: str, where: str) -> dict[str, Any]:
    if name not in schemas.profiles():
        raise UsageError(f"{where}: extends = {name!r}: no such profile. Profiles: {', '.join(schemas.profiles())}")
    return schemas.profile(name)


def _merge(base: dict[str, Any], tables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of `tables` over those of `base`; keys and headers are merged name by name."""
    merged = dict(base)
    for key, value in tables.items():
        if key in ("keys", "headers"):
            if not isinstance(value, Mapping):
                raise UsageError(f"{where}: [target.{key}] must be a table")
            merged[key] = {**merged.get(key, {}), **value}
        else:
            merged[key] = value
    moved = (
        "base_url" in tables
        and urlsplit(str(base.get("base_url", ""))).hostname != urlsplit(str(tables["base_url"])).hostname
    )
    if moved and base.get("base_url") and "media_hosts" not in tables:
        merged.pop("media_hosts", None)  # they were those of the other host
    if "keys" in tables:
        merged.pop("public_keys", None)
    return merged


def _moved(old: Any, new: Any) -> bool:
    """Whether a base URL was replaced by one on another host."""
    return bool(old and new) and urlsplit(str(old)).hostname != urlsplit(str(new)).hostname


def _build(merged: dict[str, Any], tables: Mapping[str, Any], where: str) -> Target:
    if "public_keys" in tables.get("target", {}):
        raise UsageError(
            f"{where}: public_keys are for profiles that ship; name environment variables in [target.keys]"
        )
    _no_unknown(merged, {f.name for f in fields(Target)} - {"slos", "known_failures"}, f"{where}: [target]")
    _no_unknown(tables, {"target", "slo", "known-failure"}, where)
    if "base_url" not in merged:
        raise UsageError(f'{where}: [target] has no base_url; write base_url = "https://host/v1"')
    merged["base_url"] = _base_url(str(merged["base_url"]), where)
    for name in ("limit", "limited"):
        if name in merged:
            merged[name] = _limit(merged[name], f"{where}: [target.{name}]")
    for name in ("sizes", "response_formats", "capabilities", "media_hosts"):
        if name in merged:
            merged[name] = _strings(merged[name], f"{where}: {name}")
    for name, kind in _KINDS.items():
        if name in merged and (not isinstance(merged[name], kind) or isinstance(merged[name], bool)):
            raise UsageError(f"{where}: {name} = {merged[name]!r} is not {_WORDS[name]}")
    merged["keys"] = {**Target("").keys, **merged.get("keys", {})}
    _no_unknown(merged["keys"], set(ROLES), f"{where}: [target.keys]")
    target = replace(
        Target(**merged),
        slos=tuple(_slo(row, f"{where}: [[slo]]") for row in tables.get("slo", ())),
        known_failures=tuple(_known(row, f"{where}: [[known-failure]]") for row in tables.get("known-failure", ())),
    )
    _check_values(target, where)
    return target


_NUMBER = (int, float)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "max_n": int, "timeout_s": _NUMBER, "price_usd_per_image": _NUMBER, "model": str, "dialect": str, "auth": str,
    "name": str, "default_size": str, "default_response_format": str, "ca_file": str,
}  # fmt: skip
_WORDS = {
    name: "an integer" if kind is int else "a string" if kind is str else "a number" for name, kind in _KINDS.items()
}


def _check_values(target: Target, where: str) -> None:
    names, default = schemas.dialects(), target.default_size
    odd_default = bool(target.sizes) and default is not None and default not in target.sizes
    odd_format = target.default_response_format not in target.response_formats
    no_ca = target.ca_file is not None and not Path(target.ca_file).is_file()
    wrong = (
        (target.dialect not in names, f"dialect = {target.dialect!r}: one of {', '.join(names)}"),
        (target.auth not in ("bearer", "none"), f"auth = {target.auth!r}: bearer or none"),
        (target.max_n < 1, "max_n must be at least 1"),
        (target.timeout_s <= 0, "timeout_s must be above 0"),
        (any(size_px(size) is None for size in target.sizes), 'sizes must be written as "1024x1024"'),
        (not set(target.response_formats) <= set(_FORMATS), f"response_formats: of {', '.join(_FORMATS)}"),
        (not set(target.capabilities) <= set(_CAPABILITIES), f"capabilities: of {', '.join(_CAPABILITIES)}"),
        (odd_format, "default_response_format is not one of response_formats"),
        (odd_default, "default_size is not one of sizes"),
        (no_ca, f"ca_file {target.ca_file}: no such file"),
    )
    for applies, sentence in wrong:
        if applies:
            raise UsageError(f"{where}: {sentence}")


def _check_local(
    target: Target, where: str, profile_url: Any, given: Mapping[str, Any], confirmed_host: str | None
) -> None:
    """A file that came with a cloned repository gets no key but those meant for testcard, and sends
    them to no host that the user did not name.
    """
    if "keys" not in given:
        for role, variable in target.keys.items():
            if not variable.startswith("TESTCARD_"):
                raise UsageError(
                    f"{where} names the environment variable {variable} for the key {role}: a file found in the "
                    "working directory may name TESTCARD_* variables only; pass --api-key-env or --target FILE"
                )
    for name, value in target.headers.items():
        if value.startswith("env:") and not value.startswith("env:TESTCARD_") and name not in given.get("headers", {}):
            raise UsageError(
                f"{where} takes header {name} from {value.removeprefix('env:')}: a file found in the working "
                "directory may name TESTCARD_* variables only"
            )
    named = given.get("base_url") or target.host == urlsplit(str(profile_url or "")).hostname
    if not (named or target.on_loopback or confirmed_host == target.host):
        raise UsageError(
            f"{where} names the host {target.host}: a file found in the working directory sends no key to a host "
            f"that you did not name; pass --confirm-host {target.host} or --base-url"
        )


def _base_url(text: str, where: str) -> str:
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username or parts.query or parts.fragment:
        raise UsageError(
            f"{where}: base_url {text!r} is not an API's address; write scheme, host and version path, "
            "for example http://127.0.0.1:8600/v1"
        )
    return text.strip().rstrip("/")


def _limit(row: Any, where: str) -> Limit:
    if not isinstance(row, Mapping):
        raise UsageError(f"{where} must be a table")
    _no_unknown(row, {"requests", "window_s", "burst"}, where)
    try:
        limit = Limit(int(row["requests"]), float(row.get("window_s", 60.0)), row.get("burst"))
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{where} needs requests = N and window_s = seconds") from None
    if limit.requests < 1 or limit.window_s <= 0:
        raise UsageError(f"{where}: requests and window_s must be above 0")
    return limit


def _slo(row: Mapping[str, Any], where: str) -> Slo:
    _no_unknown(row, {"quantile", "bound_s", "size", "confidence"}, where)
    try:
        slo = Slo(float(row["quantile"]), float(row["bound_s"]), row.get("size"), float(row.get("confidence", 0.95)))
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"{where} needs quantile = 0.95 and bound_s = seconds") from None
    if not (0 < slo.quantile < 1 and 0.5 <= slo.confidence < 1 and slo.bound_s > 0):
        raise UsageError(f"{where}: 0 < quantile < 1, 0.5 <= confidence < 1 and bound_s > 0")
    return slo


def _known(row: Mapping[str, Any], where: str) -> KnownFailure:
    _no_unknown(row, {"requirement", "reason", "expires"}, where)
    missing = [name for name in ("requirement", "reason", "expires") if not row.get(name)]
    if missing:
        raise UsageError(f"{where} needs {' and '.join(missing)}")
    if row["requirement"] not in schemas.requirements():
        raise UsageError(
            f"{where}: no requirement {row['requirement']!r}" + _suggest(row["requirement"], schemas.requirements())
        )
    return KnownFailure(row["requirement"], str(row["reason"]), str(row["expires"]))


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where} must be a list of strings")
    return tuple(value)


def _no_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}" + _suggest(key, known))


def _suggest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
