"""What a request looks like on the wire, and as a curl line; shared by every client that we have."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from urllib.parse import quote

from testcard import __version__
from testcard.core.exchange import Request
from testcard.core.presentation import PRESENTATIONS
from testcard.core.target import Keyring, Target

USER_AGENT = f"testcard/{__version__} (conformance and load tests)"
_LONGEST_CURL_BODY = 4000
_PLACEHOLDER = "the-key-goes-here"


def request_url(target: Target, request: Request) -> str:
    """Where a request goes, without any key."""
    base = target.base_url
    if request.in_the_clear and base.startswith("https:"):
        base = f"http:{base.removeprefix('https:')}"
    return base + request.path


def request_headers(
    target_headers: Mapping[str, str], request: Request, key: str | None, request_id: str
) -> list[tuple[str, str]]:
    """The header lines of an API request; those of the request itself replace the usual ones of that name, an
    empty one leaves it out.
    """
    lines = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "X-Request-Id": request_id,
    }
    if request.body is not None:
        lines["Content-Type"] = "application/json"
    lines |= target_headers
    authorization = request.authorization
    presentation = PRESENTATIONS[request.presented]
    present = presentation.authorization
    if authorization is None and key and present is not None:
        authorization = present(key)
    if authorization is not None:
        lines["Authorization"] = authorization
    own = {name.lower() for name, _ in request.headers}
    usual = [line for line in lines.items() if line[0].lower() not in own]
    return [(presentation.spelt(name), value) for name, value in usual] + [line for line in request.headers if line[1]]


def hidden_query(request: Request, key: str | None) -> str:
    """The query that holds the key, where it is presented there. It belongs into no URL that is kept."""
    name = PRESENTATIONS[request.presented].query
    return f"?{name}={quote(key, safe='')}" if name and key else ""


def sent_body(request: Request, key: str | None) -> bytes | None:
    """The body as it goes over the wire: with the key in it, where it is presented there."""
    member = PRESENTATIONS[request.presented].member
    if not member or not key:
        return request.body
    return json.dumps({**request.fields, member: key}, ensure_ascii=False).encode()


def curl(request: Request, target: Target, keyring: Keyring) -> str:
    """A shell line that sends the request again. Keys and secret headers stand in it as variables."""
    presentation = PRESENTATIONS[request.presented]
    variable = f"${{{keyring.variable(request.key)}}}" if request.key and target.auth == "bearer" else ""
    url = shlex.quote(request_url(target, request))
    if presentation.query and variable:
        url += f'"?{presentation.query}={variable}"'
    parts = ["curl", "-sS", "-i", "-X", request.method, url]
    if request.authorization is not None:
        parts += ["-H", shlex.quote(f"Authorization: {request.authorization}")]
    elif presentation.authorization is not None and request.key and variable:
        shell = presentation.shell.replace("KEY", keyring.variable(request.key))
        parts += ["-H", f'"{presentation.spelt("Authorization")}: {shell}"']
    for name, value in () if request.in_the_clear else target.headers.items():
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
        data = _data(sent_body(request, _PLACEHOLDER) or b"")
        parts += ["--data-binary", data.replace(_PLACEHOLDER, f"'\"{variable}\"'")]
    return " ".join(parts)


def _data(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    if len(text) > _LONGEST_CURL_BODY:
        return f"{shlex.quote(text[:200])}… # {len(body)} bytes in all"
    return shlex.quote(text)
