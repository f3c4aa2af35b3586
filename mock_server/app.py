"""The gateway as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from testcard.mock_server.gateway import Gateway
from testcard.mock_server.message import Answer, Call
from testcard.mock_server.settings import MockSettings
from testcard.mock_server.validation import MOST_BYTES

_MOST_READ = 16 * MOST_BYTES
"""A longer body is read no further; below that the client gets to see its 413 instead of a broken pipe."""


def create_app(settings: MockSettings, clock: Callable[[], float] | None = None) -> Starlette:
    """The mock as an ASGI application.

    Args:
        clock: seconds for the limiters, never going back; tests hand in their own.
    """
    gateway = Gateway(settings, clock)

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request = Request(scope, receive)
        try:
            call = await _call(request, gateway)
        except ClientDisconnect:
            return
        await _send(await gateway.answer(call), scope, receive, send)
        gateway.truth.answered(call.request_id, time.perf_counter() - began)

    async def picture(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = gateway.call(request.method, request.scope["path"], _headers(request), b"", _origin(request))
        token = request.scope["path"].rpartition("/")[2].partition(".")[0]
        await _send(gateway.picture(token, call), scope, receive, send)

    async def truth(_: Request) -> Response:
        return JSONResponse(gateway.truth.describe())

    async def answers(_: Request) -> Response:
        return JSONResponse({"answers": {name: round(span, 6) for name, span in gateway.truth.answers.items()}})

    return Starlette(
        routes=[
            Route("/mock/truth", truth),
            Route("/mock/truth/answers", answers),
            Mount("/media", picture),
            Mount("/", api),
        ],
    )


async def _call(request: Request, gateway: Gateway) -> Call:
    """The request with its body, of which no more is kept than it takes to refuse it."""
    body = bytearray()
    read = 0
    async for chunk in request.stream():
        read += len(chunk)
        body += chunk[: max(0, MOST_BYTES + 1 - len(body))]
        if read > _MOST_READ:
            break
    return gateway.call(
        request.method, request.scope["path"], _headers(request), bytes(body), _origin(request), request.url.query
    )


def _headers(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, value)
    return headers


def _origin(request: Request) -> str:
    host, port = request.scope["server"]
    return f"{request.url.scheme}://{request.headers.get('host') or f'{host}:{port}'}"


async def _send(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    if answer.framing == "dropped":
        # A header that cannot be sent: uvicorn closes the connection before the first byte.
        await send({"type": "http.response.start", "status": 200, "headers": [(b"\n", b"")]})
        return
    body = answer.body
    response = Response(body, answer.status, media_type=None)
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if answer.media_type is not None:
        lines.append((b"content-type", answer.media_type.encode("latin-1")))
    if answer.status != 204 and answer.framing != "unended":
        length = len(body) if answer.framing == "whole" else len(body) + 1000
        lines.append((b"content-length", str(length).encode()))
    if answer.header("date") is None:
        lines.append((b"date", formatdate(usegmt=True).encode()))
    lines = [line for line in lines if line != (b"date", b"")]
    response.raw_headers = lines
    if answer.framing == "whole":
        await response(scope, receive, send)
        return
    # An answer that is never completed: uvicorn closes the connection under it.
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": body, "more_body": True})
