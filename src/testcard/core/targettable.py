"""From tables, as a file or a profile holds them, to a Target: every field checked, every refusal a sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.quantity import size_px
from testcard.core.requestrule import request_rules
from testcard.core.target import ASSUMABLE, CAPABILITIES, FORMATS, ROLES, KnownFailure, Limit, Slo, Target


def build_target(merged: dict[str, Any], tables: Mapping[str, Any], where: str) -> Target:
    """The target that tables make.

    Args:
        merged: [target] over the profile that it extends.
        tables: the file, for its SLOs and known failures.
        where: how errors name the file.

    Raises:
        UsageError: a field is unknown, of another type, or out of its range.
    """
    if "public_keys" in tables.get("target", {}):
        raise UsageError(
            f"{where}: public_keys are for profiles that ship; name environment variables in [target.keys]"
        )
    _no_unknown(merged, {f.name for f in fields(Target)} - {"slos", "known_failures", "assumed"}, f"{where}: [target]")
    _no_unknown(tables, {"target", "slo", "known-failure"}, where)
    if "base_url" not in merged:
        raise UsageError(f'{where}: [target] has no base_url; write base_url = "https://host/v1"')
    merged["base_url"] = _base_url(str(merged["base_url"]), where)
    for name in ("limit", "limited"):
        if name in merged:
            merged[name] = _limit(merged[name], f"{where}: [target.{name}]")
    if "request" in merged:
        merged["request"] = request_rules(merged["request"], f"{where}: [target.request]")
    for name in ("sizes", "response_formats", "capabilities", "media_hosts"):
        if name in merged:
            merged[name] = _strings(merged[name], f"{where}: {name}")
    for name, kind in _KINDS.items():
        if name in merged and (not isinstance(merged[name], kind) or isinstance(merged[name], bool)):
            raise UsageError(f"{where}: {name} = {merged[name]!r} is not {_WORDS[name]}")
    merged["keys"] = {**Target("").keys, **merged.get("keys", {})}
    _no_unknown(merged["keys"], set(ROLES), f"{where}: [target.keys]")
    _check_names(merged["keys"], merged.get("headers", {}), where)
    target = replace(
        Target(**merged),
        assumed=tuple(name for name in ASSUMABLE if not merged.keys() & {name, f"default_{name.removesuffix('s')}"}),
        slos=tuple(_slo(row, f"{where}: [[slo]]") for row in tables.get("slo", ())),
        known_failures=tuple(_known(row, f"{where}: [[known-failure]]") for row in tables.get("known-failure", ())),
    )
    _check_values(target, where)
    return target


def _check_names(keys: Mapping[str, Any], headers: Mapping[str, Any], where: str) -> None:
    for role, variable in keys.items():
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            raise UsageError(f"{where}: keys.{role} = {variable!r} is not the name of an environment variable")
    for name, value in headers.items():
        if name.lower() == "authorization":
            raise UsageError(f"{where}: header Authorization: keys come from the environment; see [target.keys]")
        if name.lower() in _OF_EACH_REQUEST:
            raise UsageError(f"{where}: header {name} is set for each request as it needs: leave it out")
        if not _TOKEN.fullmatch(name) or not isinstance(value, str) or not value.isprintable():
            raise UsageError(f"{where}: header {name!r} cannot be sent: write a name and one line of text")
        variable = value.removeprefix("env:")
        if value.startswith("env:") and not _VARIABLE.fullmatch(variable):
            raise UsageError(f"{where}: header {name}: {variable!r} is not the name of an environment variable")


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # it stands in curl lines, for a shell to read
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/@:?#\[\]]+)(:[0-9]{1,5})?")
_OF_EACH_REQUEST = frozenset(
    (
        "accept-encoding", "connection", "content-length", "content-type", "expect", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade", "user-agent", "x-request-id",
    )
)  # fmt: skip
_NUMBER = (int, float)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "max_n": int, "timeout_s": _NUMBER, "price_usd_per_image": _NUMBER, "model": str, "dialect": str, "auth": str,
    "name": str, "about": str, "default_size": str, "default_response_format": str, "ca_file": str,
}  # fmt: skip
_WORDS = {
    name: "an integer" if kind is int else "a string" if kind is str else "a number" for name, kind in _KINDS.items()
}


def _check_values(target: Target, where: str) -> None:
    names, default = schemas.dialects(), target.default_size
    odd_default = bool(target.sizes) and default is not None and default not in target.sizes
    odd_format = target.default_response_format not in target.response_formats
    not_said = not target.takes("response_format") and len(target.response_formats) != 1
    odd_host = [host for host in target.media_hosts if not _HOST.fullmatch(host)]
    no_ca = target.ca_file is not None and not Path(target.ca_file).is_file()
    wrong = (
        (target.dialect not in names, f"dialect = {target.dialect!r}: one of {', '.join(names)}"),
        (target.auth not in ("bearer", "none"), f"auth = {target.auth!r}: bearer or none"),
        (target.max_n < 1, "max_n must be at least 1"),
        (not 0 < target.timeout_s < math.inf, "timeout_s must be above 0"),
        (not 0 <= (target.price_usd_per_image or 0) < math.inf, "price_usd_per_image must not be negative"),
        (
            bool(odd_host),
            f"media_hosts: {''.join(odd_host[:1])!r} is no host; write media.example.net, or media.example.net:8080",
        ),
        (any(size_px(size) is None for size in target.sizes), 'sizes must be written as "1024x1024"'),
        (not set(target.response_formats) <= set(FORMATS), f"response_formats: of {', '.join(FORMATS)}"),
        (not set(target.capabilities) <= set(CAPABILITIES), f"capabilities: of {', '.join(CAPABILITIES)}"),
        (odd_format, "default_response_format is not one of response_formats"),
        (odd_default, "default_size is not one of sizes"),
        (not_said, 'response_format = false: response_formats must be the one that comes, ["b64_json"] say'),
        (no_ca, f"ca_file {target.ca_file}: no such file"),
    )
    for applies, sentence in wrong:
        if applies:
            raise UsageError(f"{where}: {sentence}")
    if target.ca_file is not None:
        _check_certificates(target.ca_file, where)


def _check_certificates(path: str, where: str) -> None:
    import ssl  # needed by targets with a ca_file only, and slow to load

    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        raise UsageError(f"{where}: ca_file {path} holds no certificates: {error}") from error


_ENDPOINT = "/images/generations"


def _base_url(text: str, where: str) -> str:
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if valid and (parts.username is not None or parts.password is not None or parts.query):
        raise UsageError(  # not repeated: what stands there may be a secret, and logs keep what we say
            f"{where}: base_url carries {'a query' if parts.query else 'a user or a password'}: keys come from the "
            "environment; write scheme, host and version path only, for example http://127.0.0.1:8600/v1"
        )
    if not valid or parts.fragment:
        raise UsageError(
            f"{where}: base_url {text!r} is not an API's address; write scheme, host and version path, "
            "for example http://127.0.0.1:8600/v1"
        )
    address = text.strip().rstrip("/")
    if address.endswith(_ENDPOINT):
        raise UsageError(
            f"{where}: base_url {address} ends in {_ENDPOINT}, which is added to it: "
            f"write {address.removesuffix(_ENDPOINT)}"
        )
    return address


def _limit(row: Any, where: str) -> Limit:
    if not isinstance(row, Mapping):
        raise UsageError(f"{where} must be a table")
    _no_unknown(row, {"requests", "window_s", "burst"}, where)
    try:
        burst = None if row.get("burst") is None else float(row["burst"])
        limit = Limit(int(row["requests"]), float(row.get("window_s", 60.0)), burst)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UsageError(f"{where} needs requests = N and window_s = seconds, and may have burst = X") from None
    if limit.requests < 1 or not 0 < limit.window_s < math.inf:
        raise UsageError(f"{where}: requests and window_s must be above 0")
    if burst is not None and not 1 <= burst < math.inf:
        raise UsageError(f"{where}: burst must be at least 1")
    return limit


def _slo(row: Mapping[str, Any], where: str) -> Slo:
    _no_unknown(row, {"quantile", "bound_s", "size", "confidence"}, where)
    try:
        slo = Slo(float(row["quantile"]), float(row["bound_s"]), row.get("size"), float(row.get("confidence", 0.95)))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UsageError(f"{where} needs quantile = 0.95 and bound_s = seconds") from None
    if not (0 < slo.quantile < 1 and 0.5 <= slo.confidence < 1 and 0 < slo.bound_s < math.inf):
        raise UsageError(f"{where}: 0 < quantile < 1, 0.5 <= confidence < 1 and bound_s > 0")
    if slo.size is not None and (not isinstance(slo.size, str) or size_px(slo.size) is None):
        raise UsageError(f'{where}: size = {slo.size!r}: write it as "1024x1024"')
    return slo


def _known(row: Mapping[str, Any], where: str) -> KnownFailure:
    _no_unknown(row, {"requirement", "reason", "expires"}, where)
    missing = [name for name in ("requirement", "reason", "expires") if not row.get(name)]
    if missing:
        raise UsageError(f"{where} needs {' and '.join(missing)}")
    name, expires = str(row["requirement"]), str(row["expires"])
    if name not in schemas.requirements():
        raise UsageError(f"{where}: no requirement {name!r}" + suggest(name, schemas.requirements()))
    try:
        date.fromisoformat(expires)
    except ValueError:
        raise UsageError(f"{where}: expires = {expires!r} is not a date: write 2027-03-01") from None
    return KnownFailure(name, str(row["reason"]), expires)


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where} must be a list of strings")
    return tuple(value)


def _no_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}" + suggest(key, known))


def suggest(word: str, known: Any) -> str:
    """The end of a sentence about an unknown word: what it may have been."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
