"""One answer as a judge sees it: what was asked, what came, and what a row expects of it."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from testcard.conformance import Contract, judge
from testcard.core.exchange import Exchange, Failure, Request, Response, Violation
from testcard.core.judgement import Judgement
from testcard.core.target import Target
from testcard.core.targetfile import profile_target

MOCK = profile_target("mock")
HTTPS = dataclasses.replace(MOCK, base_url="https://api.example.com/v1", media_hosts=("media.example.com:443",))
NOW = 1_800_000_000.0
ID = "the-id-that-we-sent"
BODY = {"model": MOCK.model, "prompt": "a cat", "response_format": "b64_json", "size": "64x48", "n": 1}
TOO_MANY = Violation("generate.n-out-of-range", "n", "maximum", "10", "11")
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"
NO_PROMPT = Violation("generate.prompt-missing", "prompt", "required", "present", "nothing")
NO_MODEL = Violation("generate.model-unknown", "model", "one of", "the API's models", "x")


def png(width: int = 64, height: int = 48, text: str | None = None) -> bytes:
    data, note = io.BytesIO(), PngInfo()
    if text is not None:
        note.add_text("parameters", text)
    Image.effect_noise((width, height), 60).convert("RGB").save(data, "PNG", pnginfo=note)
    return data.getvalue()


def turned(width: int, height: int) -> bytes:
    """A JPEG that viewers turn by a quarter."""
    data, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((width, height), 60).convert("RGB").save(data, "JPEG", exif=exif)
    return data.getvalue()


def blank() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (9, 9, 9)).save(data, "PNG")
    return data.getvalue()


PNG, OTHER, SMALL, BLANK = png(), png(), png(32, 32), blank()
OPENAI = dataclasses.replace(MOCK, dialect="openai")


def b64(data: bytes) -> dict[str, str]:
    return {"b64_json": base64.b64encode(data).decode()}


def good(*items: object, **more: object) -> dict[str, object]:
    return {"created": int(NOW), "data": list(items or [b64(PNG)]), **more}


def error(slug: object = "invalid_request_error", **more: object) -> dict[str, object]:
    return {"error": {"message": "n is at most 10", "type": slug, **more}}


def asked(**changes: Any) -> Request:
    """The good request, changed; `fields` change its body."""
    body = BODY | changes.pop("fields", {})
    data = json.dumps({key: value for key, value in body.items() if value is not ...}).encode()
    usual: dict[str, Any] = {"case": "a cat", "requirement": "generate.full", "body": data, "images": 1}
    return Request(**(usual | changes))


def presented(how: str, *judges: str) -> Request:
    """The good request, with the second key presented so."""
    return asked(key="second", presented=how, judges=judges)


LARGE = asked(violations=(NO_PROMPT,), requirement=None, judges=("transport.large-body", "error.envelope"))
NO_SUCH_MODEL = Request("a model", method="GET", path="/models/nothing", judges=("models.unknown",))
CLEAR = asked(authorization="Bearer x", in_the_clear=True, judges=("transport.no-plain-http",))
HOSTILE = asked(violations=(NO_PROMPT,), judges=("identity.request-id-safe",), headers=(("X-Request-Id", "a%0d%0a"),))
ABROAD = dataclasses.replace(MOCK, base_url="https://a.example/v1")


@dataclass
class Row:
    """An exchange, and the findings that it must and must not bring."""

    body: object = b""
    status: int | None = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    request: Request = field(default_factory=asked)
    target: Target = MOCK
    attempt: int = 5
    failure: Failure | None = None
    media: tuple[tuple[str, Response | Failure], ...] = ()
    secrets_seen: tuple[str, ...] = ()
    url: str = "u"
    accepts: str = "identity"
    held: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """Requirements of which nothing may be said; an area means all of its requirements."""

    def exchange(self) -> Exchange:
        raw = isinstance(self.body, bytes)
        usual = {"Content-Type": "application/json", "x-request-id": ID, "Date": DATE} | dict(self.headers)
        lines = tuple((name, value) for name, value in usual.items() if value is not None)
        data = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        assert raw or self.status is not None
        response = None if self.status is None else Response(self.status, lines, data)
        fetches = tuple(_fetch(url, came) for url, came in self.media)
        lines_sent = (("Accept-Encoding", self.accepts),)
        return Exchange(
            request=self.request, number=1, url=self.url, request_id=ID, sent_headers=lines_sent, at="now",
            planned_s=0.0, sent_s=0.0, response=response, failure=self.failure, media=fetches,
            attempt=self.attempt, received_at=NOW, secrets_seen=self.secrets_seen,
        )  # fmt: skip


def _fetch(url: str, came: Response | Failure) -> Exchange:
    response, failure = (came, None) if isinstance(came, Response) else (None, came)
    request = Request("picture", method="GET", path=url, key=None)
    return Exchange(request, 1, url, ID, (), "now", 0.0, 0.0, response=response, failure=failure)


def shown(kind: str = "image/png", data: bytes = PNG, status: int = 200) -> Response:
    return Response(status, (("Content-Type", kind),), data)


ASKED_URL = asked(fields={"response_format": "url"})
BARE = asked(fields={"response_format": ..., "size": ..., "n": ...}, requirement="generate.minimal")
PICTURE_URL = "http://127.0.0.1:9/x.png"
JPG = "http://127.0.0.1:9/x.JPG"
CHOSEN = Response(200, (("Content-Type", "image/png"), ("VARY", "Origin, accept")), PNG)
JPG_URL = {"request": ASKED_URL, "body": good({"url": JPG})}
ON_URL = {"request": ASKED_URL, "body": good({"url": PICTURE_URL})}
LIMITED = {"status": 429, "body": error("rate_limit_error")}


def judged(row: Row, *, full: bool = True) -> Judgement:
    return judge(row.exchange(), Contract.of(row.target), full=full)
