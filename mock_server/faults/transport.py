"""Faults of framing, labels, statuses and methods."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.mock_server.faults.fault import Fault
from testcard.mock_server.faults.shape import errors, everywhere, headers, pictures, where
from testcard.mock_server.message import GENERATIONS, METHODS, Answer, Call
from testcard.mock_server.refusal import Refusal


def _nan(answer: Answer) -> Answer:
    document = {**answer.document, "cost": float("nan")} if isinstance(answer.document, dict) else answer.document
    return replace(answer, raw=json.dumps(document).encode())


def _not_utf8(answer: Answer) -> Answer:
    document = {**answer.document, "note": "caf\u00e9"} if isinstance(answer.document, dict) else answer.document
    return replace(answer, raw=json.dumps(document, ensure_ascii=False).encode("latin-1", "replace"))


def _twice(answer: Answer) -> Answer:
    """The first member of the document, once more at its end."""
    if not isinstance(answer.document, dict) or not answer.document or answer.raw is not None:
        return answer
    name, value = next(iter(answer.document.items()))
    text = json.dumps(answer.document)
    return replace(answer, raw=f"{text[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}".encode())


def _unknown_path(answer: Answer, call: Call) -> bool:
    return answer.status == 404 and call.path not in METHODS


def _wrong_method(answer: Answer, call: Call) -> bool:
    return answer.status == 405 and call.path == GENERATIONS


def _other_label(call: Call, _: None) -> Call:
    if call.asks_for_pictures and not call.headers.get("content-type", "application/json").startswith(
        "application/json"
    ):
        raise Refusal(500, "The body could not be parsed.")
    return call


def _gzip(answer: Answer) -> Answer:
    return replace(answer, raw=gzip.compress(answer.body)).with_headers({"Content-Encoding": "gzip"})


def _gzip_cut(answer: Answer, call: Call) -> Answer:
    if answer.status == 204 or "gzip" not in call.headers.get("accept-encoding", ""):
        return answer
    return replace(_gzip(answer), raw=gzip.compress(answer.body)[:-9])


def _large(call: Call, _: None) -> Call:
    if len(call.body) > 500_000:
        raise Refusal(500, "The body could not be kept.")
    return call


def _head(call: Call, _: None) -> Call:
    if call.method == "HEAD":
        raise Refusal(500, "Something went wrong.")
    return call


def _second_date(answer: Answer) -> Answer:
    """As a proxy adds its own without looking whether there is one."""
    return replace(answer, headers=(*answer.headers, *(("Date", formatdate(usegmt=True)) for _ in range(2))))


def _recorded(
    url: str, response: Response | None, failure: Failure | None, *, bare_lf: bool | None = None, **asked: Any
) -> Exchange:
    """An exchange with a host that is not on this machine."""
    request = Request("recorded elsewhere", body=b'{"prompt": "a harbour"}', **asked)
    at = "2026-11-22T00:00:00Z"
    return Exchange(request, 1, url, "id", (), at, 0.0, 0.0, response=response, failure=failure, bare_lf=bare_lf)


_ELSEWHERE = "//api.example.com/v1/images/generations"
_MISMATCH = (
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for "
    "'api.example.com'."
)
_PICTURES = Response(200, (("Content-Type", "application/json"),), b'{"created": 1, "data": [{"b64_json": ""}]}')
_HTML = b"<!doctype html><html><head><title>Not here</title></head><body><h1>Not here</h1></body></html>"
_JOB = {"id": "job_1", "object": "image.generation.job", "status": "queued"}
_OOPS = {"error": {"message": "Something went wrong.", "type": "server_error"}}

FAULTS = (
    Fault(
        name="labelled-text",
        breaks=("transport.json-content-type",),
        describe="Answers are labelled text/plain.",
        answer=everywhere(lambda answer: replace(answer, media_type="text/plain; charset=utf-8")),
    ),
    Fault(
        name="label-missing",
        breaks=("transport.json-content-type",),
        describe="Answers carry no Content-Type.",
        answer=everywhere(lambda answer: replace(answer, media_type=None)),
    ),
    Fault(
        name="member-twice",
        breaks=("transport.json-unique-names",),
        describe="The first member of every answer comes a second time.",
        answer=everywhere(_twice),
    ),
    Fault(
        name="unknown-path-200",
        breaks=("transport.unknown-path",),
        describe="An unknown path is answered with 200.",
        answer=where(_unknown_path, lambda answer: replace(answer, status=200, document={"status": "ok"})),
    ),
    Fault(
        name="unknown-path-500",
        breaks=("transport.unknown-path",),
        describe="An unknown path is answered with 500.",
        answer=where(_unknown_path, lambda answer: replace(answer, status=500, document=_OOPS)),
    ),
    Fault(
        name="unknown-path-html",
        breaks=("transport.unknown-path",),
        describe="An unknown path is answered with the HTML page of the web server.",
        answer=where(_unknown_path, lambda answer: replace(answer, raw=_HTML, media_type="text/html")),
    ),
    Fault(
        name="get-200",
        breaks=("transport.wrong-method",),
        describe="A wrong method on the endpoint is answered with 200.",
        answer=where(_wrong_method, lambda answer: replace(answer, status=200, document={"status": "ok"})),
    ),
    Fault(
        name="get-500",
        breaks=("transport.wrong-method",),
        describe="A wrong method on the endpoint is answered with 500.",
        answer=where(_wrong_method, lambda answer: replace(answer, status=500, document=_OOPS)),
    ),
    Fault(
        name="allow-missing",
        breaks=("transport.allow",),
        describe="A 405 carries no Allow.",
        answer=errors(headers(allow=None), 405),
    ),
    Fault(
        name="allow-wrong",
        breaks=("transport.allow",),
        describe="The Allow of a 405 does not name POST.",
        answer=errors(headers(allow="GET, HEAD"), 405),
    ),
    Fault(
        name="text-500",
        breaks=("transport.other-content-type",),
        describe="A body that is labelled text/plain crashes the parser: 500.",
        admitted=_other_label,
    ),
    Fault(
        name="job-202",
        breaks=("transport.synchronous",),
        describe="A generation is answered with 202 and a job to poll.",
        answer=pictures(lambda answer: replace(answer, status=202, document=_JOB, order=None)),
    ),
    Fault(
        name="redirect-303",
        breaks=("transport.synchronous",),
        describe="A generation as a url is answered with a redirect to its result.",
        answer=where(
            lambda answer, _: answer.order is not None and answer.order.format == "url",
            lambda answer: replace(answer, status=303, document=_JOB, order=None).with_headers(
                {"Location": "/v1/jobs/1"}
            ),
        ),
    ),
    Fault(
        name="body-bom",
        breaks=("transport.json-body",),
        describe="Answers start with a byte order mark.",
        answer=everywhere(lambda answer: replace(answer, raw=b"\xef\xbb\xbf" + answer.body)),
    ),
    Fault(
        name="body-nan",
        breaks=("transport.json-body",),
        describe="Answers hold NaN.",
        answer=everywhere(_nan),
    ),
    Fault(
        name="body-not-utf8",
        breaks=("transport.json-body",),
        describe="Answers are Latin-1.",
        answer=everywhere(_not_utf8),
    ),
    Fault(
        name="body-concatenated",
        breaks=("transport.json-body", "sdk.pictures", "sdk.errors"),
        describe="A second JSON text follows the first.",
        answer=everywhere(lambda answer: replace(answer, raw=answer.body + b'\n{"done": true}')),
    ),
    Fault(
        name="body-json-string",
        breaks=("transport.json-body", "response.data"),
        describe="A 200 is JSON encoded twice: a string that holds the object.",
        answer=pictures(lambda answer: replace(answer, raw=json.dumps(answer.body.decode()).encode())),
    ),
    Fault(
        name="body-truncated",
        breaks=("transport.json-body",),
        describe="A 200 stops in the middle of its JSON, with a Content-Length that agrees.",
        answer=pictures(lambda answer: replace(answer, raw=answer.body[: len(answer.body) * 2 // 3])),
    ),
    Fault(
        name="gzip-unasked",
        breaks=("transport.content-coding",),
        describe="Answers are compressed whether the client accepts it or not.",
        answer=everywhere(_gzip),
    ),
    Fault(
        name="gzip-cut",
        breaks=("transport.framing",),
        describe="Where gzip is accepted, the compressed body lacks its end.",
        answer=_gzip_cut,
    ),
    Fault(
        name="date-missing",
        breaks=("transport.date",),
        describe="Answers carry no Date.",
        answer=everywhere(headers(date="")),
    ),
    Fault(
        name="date-iso",
        breaks=("transport.date",),
        describe="The Date of answers is written as in RFC 3339.",
        answer=everywhere(headers(date="2026-11-22T00:00:00Z")),
    ),
    Fault(
        name="date-twice",
        breaks=("transport.single-fields",),
        describe="Every answer carries two Date lines.",
        answer=everywhere(_second_date),
    ),
    Fault(
        name="head-500",
        breaks=("transport.head",),
        describe="HEAD is answered with 500, whatever the path.",
        arrival=_head,
    ),
    Fault(
        name="bare-lf",
        breaks=("transport.line-ends",),
        describe="The lines of a head end in LF alone (at the judge: the mock's web server cannot write them).",
        shown=_recorded(f"https:{_ELSEWHERE}", _PICTURES, None, bare_lf=True),
    ),
    Fault(
        name="errors-cacheable",
        breaks=("transport.not-cacheable",),
        describe="Any cache may keep a 401, 402 or 429 for five minutes.",
        answer=errors(headers(cache_control="public, max-age=300"), 401, 402, 429),
    ),
    Fault(
        name="large-body-500",
        breaks=("transport.large-body",),
        describe="A body of more than 500,000 bytes is answered with 500.",
        admitted=_large,
    ),
    Fault(
        name="certificate-wrong",
        breaks=("transport.tls",),
        describe="The certificate is another host's (at the judge: loopback has none).",
        shown=_recorded(f"https:{_ELSEWHERE}", None, Failure("tls", _MISMATCH)),
    ),
    Fault(
        name="http-only",
        breaks=("transport.tls",),
        describe="The API is served over http (at the judge: on loopback that is fine).",
        shown=_recorded(f"http:{_ELSEWHERE}", _PICTURES, None),
    ),
    Fault(
        name="http-served",
        breaks=("transport.no-plain-http",),
        describe="Beside https, http is served as well (at the judge: loopback has no https).",
        shown=_recorded(f"http:{_ELSEWHERE}", _PICTURES, None, in_the_clear=True, authorization="Bearer x"),
    ),
    Fault(
        name="content-length-long",
        breaks=("transport.framing",),
        describe="A 200 announces more bytes than it sends.",
        answer=pictures(lambda answer: replace(answer, framing="short")),
    ),
    Fault(
        name="chunks-unended",
        breaks=("transport.framing",),
        describe="A 200 comes in chunks, and the last one never comes.",
        answer=pictures(lambda answer: replace(answer, framing="unended")),
    ),
    Fault(
        name="gzip-label",
        breaks=("transport.framing",),
        describe="A 200 is labelled gzip and is not.",
        answer=pictures(headers(content_encoding="gzip")),
    ),
)
