"""Where targets come from: profiles that ship, files that users name, testcard.toml in the working directory.

A file that came with a cloned repository is trusted less than one that was named: see `_check_local`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.target import Target
from testcard.core.targettable import build_target, suggest


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
    _require_tables(tables, where)
    profile = tables.get("target", {})
    if not profile and not given.get("base_url"):
        if name is not None:
            raise UsageError(f"{where} names no target: write [target] with base_url, or extends a profile")
        return None
    base = dict(_profile(profile["extends"], where)) if "extends" in profile else {}
    merged = _merge(_merge(base, profile, where), given, "the command line")
    merged.pop("extends", None)
    if "name" not in profile and "name" not in given and given.get("base_url"):
        merged.setdefault("name", urlsplit(str(given["base_url"])).hostname or "unnamed")
    target = build_target(merged, tables, where)
    if local:
        _check_local(target, where, base.get("base_url"), given, confirmed_host)
    return target


def profile_target(name: str) -> Target:
    """A profile that ships, as a target."""
    return build_target(dict(_profile(name, "targets")), {}, name)


def _tables(name: str | None, directory: Path) -> tuple[str, dict[str, Any], bool]:
    """Where the tables come from, the tables, and whether they were merely found in the working directory."""
    found = _working_directory_tables(directory)
    if name is None:
        return (*found, True) if found else ("the command line", {}, False)
    extra = {key: rows for key, rows in found[1].items() if key in ("slo", "known-failure")} if found else {}
    path = Path(name)
    if name in schemas.profiles():
        return name, extra | {"target": {"extends": name}}, False
    if path.suffix == ".toml" or path.is_file():
        return name, extra | _read_toml(path), False
    raise UsageError(
        f"--target {name}: neither a profile nor a file. Profiles: {', '.join(schemas.profiles())}"
        + suggest(name, schemas.profiles())
    )


def _working_directory_tables(directory: Path) -> tuple[str, dict[str, Any]] | None:
    own = directory / "testcard.toml"
    if own.is_file():
        return own.name, _read_toml(own)
    pyproject = directory / "pyproject.toml"
    if pyproject.is_file():
        tool = _read_toml(pyproject).get("tool", {})
        tables = tool.get("testcard") if isinstance(tool, Mapping) else None
        if isinstance(tables, Mapping):
            return "pyproject.toml, [tool.testcard]", dict(tables)
    return None


def _require_tables(tables: Mapping[str, Any], where: str) -> None:
    if not isinstance(tables.get("target", {}), Mapping):
        raise UsageError(f"{where}: target must be a table, [target]")
    for name in ("slo", "known-failure"):
        rows = tables.get(name, [])
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise UsageError(f"{where}: {name} must be an array of tables, [[{name}]]")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors on Windows begin a file with a mark
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not TOML: it is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error


def _profile(name: str, where: str) -> dict[str, Any]:
    if name not in schemas.profiles():
        raise UsageError(f"{where}: extends = {name!r}: no such profile. Profiles: {', '.join(schemas.profiles())}")
    return schemas.profile(name)


def _merge(base: dict[str, Any], tables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of `tables` over those of `base`; keys and headers are merged name by name."""
    merged = dict(base)
    for key, value in tables.items():
        if key in ("keys", "headers", "request"):
            if not isinstance(value, Mapping):
                raise UsageError(f"{where}: [target.{key}] must be a table")
            merged[key] = {**merged.get(key, {}), **value}
        else:
            merged[key] = value
    if _moved(base.get("base_url"), tables.get("base_url")) and "media_hosts" not in tables:
        merged.pop("media_hosts", None)  # they were those of the other host
    if "keys" in tables:
        merged.pop("public_keys", None)
    return merged


def _moved(old: Any, new: Any) -> bool:
    """Whether a base URL was replaced by one on another host."""
    try:
        return bool(old and new) and urlsplit(str(old)).hostname != urlsplit(str(new)).hostname
    except ValueError:
        return True  # what is no URL at all, _base_url says


def _check_local(
    target: Target, where: str, profile_url: Any, given: Mapping[str, Any], confirmed_host: str | None
) -> None:
    """A file that came with a cloned repository gets no key but those meant for testcard, and sends
    them to no host that the user did not name.
    """
    for role, variable in target.keys.items():
        if not variable.startswith("TESTCARD_") and role not in given.get("keys", {}):
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
    profile = urlsplit(str(profile_url or ""))
    # Scheme and port too: the same host over http would get the key in the clear.
    named = given.get("base_url") or target.origin == f"{profile.scheme}://{profile.netloc}"
    if not (named or target.on_loopback or confirmed_host == target.host):
        raise UsageError(
            f"{where} names the host {target.host}: a file found in the working directory sends no key to a host "
            f"that you did not name; pass --confirm-host {target.host} or --base-url"
        )
