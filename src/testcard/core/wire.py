"""What a request looks like on the wire, and as a curl line; shared by every client that we have."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from testcard import __version__
from testcard.core.exchange import Request
from testcard.core.target import Keyring, Target

USER_AGENT = f"testcard/{__version__} (conformance and load tests)"
_LONGEST_CURL_BODY = 4000


def request_headers(
    target_headers: Mapping[str, str], request: Request, key: str | None, request_id: str
) -> list[tuple[str, str]]:
    """The header lines of an API request; those of the request itself replace the usual ones of that name."""
    lines = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "X-Request-Id": request_id,
    }
    if request.body is not None:
        lines["Content-Type"] = "application/json"
    lines |= target_headers
    authorization = request.authorization if request.authorization is not None else (f"Bearer {key}" if key else None)
    if authorization is not None:
        lines["Authorization"] = authorization
    own = {name.lower() for name, _ in request.headers}
    return [line for line in lines.items() if line[0].lower() not in own] + list(request.headers)


def curl(request: Request, target: Target, keyring: Keyring) -> str:
    """A shell line that sends the request again. Keys and secret headers stand in it as variables."""
    parts = ["curl", "-sS", "-i", "-X", request.method, shlex.quote(target.base_url + request.path)]
    if request.authorization is not None:
        parts += ["-H", shlex.quote(f"Authorization: {request.authorization}")]
    elif request.key is not None and target.auth == "bearer":
        parts += ["-H", f'"Authorization: Bearer ${keyring.variable(request.key)}"']
    for name, value in target.headers.items():
        if value.startswith("env:"):
            parts += ["-H", f'{shlex.quote(f"{name}: ")}"${value.removeprefix("env:")}"']
        else:
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    own = {name.lower() for name, _ in request.headers}
    if request.body is not None and "content-type" not in own:
        parts += ["-H", shlex.quote("Content-Type: application/json")]
    for name, value in request.headers:
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    if request.body is not None:
        parts += ["--data-binary", _data(request.body)]
    return " ".join(parts)


def _data(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    if len(text) > _LONGEST_CURL_BODY:
        return f"{shlex.quote(text[:200])}… # {len(body)} bytes in all"
    return shlex.quote(text)
