"""One answer, and what is said of it: held, broken, or nothing. Each row of a table is one exchange."""

from __future__ import annotations

import dataclasses
import json

import pytest

from answered import (
    ABROAD,
    ASKED_URL,
    BARE,
    BLANK,
    CHOSEN,
    CLEAR,
    HOSTILE,
    HTTPS,
    JPG,
    JPG_URL,
    LARGE,
    LIMITED,
    MOCK,
    NO_MODEL,
    NO_PROMPT,
    NO_SUCH_MODEL,
    NOW,
    ON_URL,
    OPENAI,
    OTHER,
    PICTURE_URL,
    PNG,
    SMALL,
    TOO_MANY,
    Row,
    asked,
    b64,
    error,
    good,
    judged,
    png,
    presented,
    shown,
    turned,
)
from testcard import schemas
from testcard.conformance.probe import PROBES
from testcard.core.exchange import Failure, Request, Response

PROMISED = ("transport.framing", "transport.json-unique-names", "transport.json-body", "transport.json-content-type",
            "transport.synchronous",
            "response.data", "response.created", "response.no-error", "response.one-representation", "generate.full",
            "generate.b64-json", "image.base64", "image.decodable", "image.size", "image.not-blank",
            "image.trailing-bytes", "image.no-internals", "response.item-types", "response.no-null",
            "response.no-internals",
            "identity.request-id", "identity.request-id-echoed", "auth.key-not-echoed")  # fmt: skip

ROWS: dict[str, Row] = {
    # A good answer keeps all of these, and breaks nothing.
    "a good answer": Row(good(), held=PROMISED),
    "two pictures": Row(good(b64(PNG), b64(OTHER)), request=asked(fields={"n": 2}),
                        held=("generate.n-honoured", "image.distinct")),
    "defaults": Row(good({"url": PICTURE_URL}), request=BARE, media=((PICTURE_URL, shown(data=png(1024, 1024))),),
                    held=("generate.minimal", "generate.default-format", "generate.default-n", "generate.default-size",
                          "media.fetch", "media.host", "media.content-type", "media.url-absolute")),
    # transport
    "html": Row(b"<html>", headers={"Content-Type": "text/html"}, silent=("response", "image"),
                broken=("transport.json-content-type", "transport.json-body")),
    "a byte order mark": Row(b"\xef\xbb\xbf" + json.dumps(good()).encode(), broken=("transport.json-body",),
                             held=("response.data", "image.decodable")),
    "a name twice": Row(b'{"created": 1, ' + json.dumps(good()).encode()[1:], broken=("transport.json-unique-names",),
                        held=("transport.json-body", "response.created")),
    "two texts": Row(json.dumps(good()).encode() * 2, broken=("transport.json-body",), held=("response.data",)),
    "problem+json": Row(error(), 400, {"Content-Type": "application/problem+json"},
                        request=asked(violations=(TOO_MANY,)), held=("transport.json-content-type",)),
    "a redirect": Row(b"", 307, {"Location": "http://elsewhere"}, broken=("transport.synchronous",),
                      silent=("transport.json-body", "response", "image")),
    "a job": Row({"id": 1}, 202, broken=("transport.synchronous",), silent=("response", "image")),
    "cut off": Row(json.dumps(good()).encode()[:40], failure=Failure("framing", "cut off"),
                   broken=("transport.framing",), silent=("transport.json-body",)),
    "closed": Row(status=None, failure=Failure("closed", "gone"), broken=("transport.framing", "generate.full")),
    "closed, to be asked again": Row(status=None, failure=Failure("closed", "gone"), attempt=1,
                                     silent=("transport", "generate")),
    "nobody there": Row(status=None, failure=Failure("connect", "refused"), silent=schemas.areas()),
    "405 with POST": Row(error(), 405, {"Allow": "get, Post"}, Request("put", method="PUT"),
                         held=("transport.wrong-method", "transport.allow")),
    "405 without": Row(error(), 405, {}, Request("put", method="PUT"), broken=("transport.allow",)),
    "405 with GET": Row(error(), 405, {"Allow": "GET"}, Request("put", method="PUT"), broken=("transport.allow",)),
    "200 to PUT": Row(good(), 200, {}, Request("put", method="PUT"), broken=("transport.wrong-method",),
                      silent=("image", "response", "generate")),
    "404 on a path": Row(error("not_found"), 404, request=Request("x", path="/x"), held=("transport.unknown-path",)),
    "bare 404": Row({"detail": "Not Found"}, 404, request=Request("x", path="/x"),
                    broken=("transport.unknown-path", "error.envelope")),
    # auth
    "keyless 401": Row(error("authentication_error"), 401, {"WWW-Authenticate": 'Basic, Bearer realm="x"'},
                       asked(key=None), held=("auth.missing-key", "auth.challenge", "error.authentication")),
    "keyless 200": Row(good(), request=asked(key=None), broken=("auth.missing-key",), silent=("image", "generate")),
    "keyless 403": Row(error(), 403, request=asked(key=None), broken=("auth.missing-key",)),
    "keyless 429": Row(**LIMITED, headers={"Retry-After": "7"}, request=asked(key=None), silent=("auth.missing-key",)),  # type: ignore[arg-type]
    "no challenge": Row(error("authentication_error"), 401, request=asked(key=None), broken=("auth.challenge",)),
    "a bear": Row(error("authentication_error"), 401, {"WWW-Authenticate": "Bearers x"}, asked(key=None),
                  broken=("auth.challenge",)),
    "a wrong key": Row(error("authentication_error"), 401,
                       request=asked(authorization="Bearer sk-wrong-1"), held=("auth.wrong-key",)),
    "no scheme": Row(good(), request=asked(authorization="sk-wrong-1"), broken=("auth.malformed-credentials",)),
    "body first": Row(error(), 400, request=asked(authorization="Bearer sk-wrong-1", violations=(TOO_MANY,)),
                      broken=("auth.before-validation",), silent=("generate", "error.refusal-status")),
    "wrong key echoed": Row(error() | {"key": "sk-wrong-1"}, 401, request=asked(authorization="Bearer sk-wrong-1"),
                            broken=("auth.key-not-echoed",)),
    "own key echoed": Row(good(), secrets_seen=("the body",), broken=("auth.key-not-echoed",)),
    "no keys at all": Row(good(), request=asked(key=None), target=dataclasses.replace(MOCK, auth="none"),
                          silent=("auth",)),
    "no Date": Row(good(), headers={"Date": None}, broken=("transport.date",)),
    "no clock": Row(error(), 400, headers={"Date": None}, request=asked(violations=(NO_PROMPT,)),
                    silent=("transport.date",)),
    "a date of ISO": Row(good(), headers={"Date": "2026-11-22T00:00:00Z"}, broken=("transport.date",)),
    "a date of RFC 850": Row(good(), headers={"Date": "Sunday, 06-Nov-94 08:49:37 GMT"}, broken=("transport.date",)),
    "gzip unasked": Row(good(), headers={"Content-Encoding": "gzip"}, broken=("transport.content-coding",)),
    "gzip asked": Row(good(), headers={"Content-Encoding": "gzip"}, accepts="gzip;q=0.8, br",
                      held=("transport.content-coding", "transport.date")),
    "br for gzip": Row(good(), headers={"Content-Encoding": "br"}, accepts="gzip",
                       broken=("transport.content-coding",)),
    "framed twice": Row(good(), headers={"Content-Length": "9", "Transfer-Encoding": "chunked"},
                        broken=("transport.framing",)),
    "a public 401": Row(error("authentication_error"), 401, headers={"Cache-Control": "public"},
                        request=asked(key=None), broken=("transport.not-cacheable",)),
    "a 401 for a minute": Row(error("authentication_error"), 401, headers={"Cache-Control": "max-age=60"},
                              request=asked(key=None), broken=("transport.not-cacheable",)),
    "a private 401": Row(error("authentication_error"), 401, headers={"Cache-Control": "private, max-age=60"},
                         request=asked(key=None), held=("transport.not-cacheable",)),
    "a private 429": Row(error("rate_limit_error"), 429, broken=("transport.not-cacheable",),
                         headers={"Cache-Control": "private, max-age=60", "Retry-After": "1"}),
    "a 429 that is over": Row(error("rate_limit_error"), 429, held=("transport.not-cacheable",),
                              headers={"Cache-Control": "public, max-age=0", "Retry-After": "1"}),
    "a 402 not stored": Row(error("insufficient_credits"), 402, headers={"Cache-Control": "no-store, max-age=60"},
                            request=asked(key="empty_wallet"), held=("transport.not-cacheable",)),
    "a large body": Row(error(), 413, request=LARGE, held=("transport.large-body",), silent=("generate", "error.code")),
    "a large body fails": Row(error(), 500, request=LARGE, broken=("transport.large-body",)),
    "a large body, hung up": Row(status=None, request=LARGE, failure=Failure("closed", "Connection reset by peer"),
                                 broken=("transport.large-body",), silent=("transport.framing",)),
    "a large body, hanging": Row(status=None, request=LARGE, failure=Failure("timeout", "no complete answer"),
                                 broken=("transport.large-body",)),
    "a large body served": Row(good(), request=LARGE, silent=("transport.large-body", "generate")),
    "https": Row(good(), target=ABROAD, url="https://a.example/v1", held=("transport.tls",)),
    "http": Row(good(), target=ABROAD, url="http://a.example/v1", broken=("transport.tls",)),
    "another's certificate": Row(status=None, target=ABROAD, url="https://a.example/v1",
                                 failure=Failure("tls", "Hostname mismatch"), broken=("transport.tls",)),
    "served in the clear": Row(good(), target=ABROAD, request=CLEAR, broken=("transport.no-plain-http",),
                               silent=("transport.tls", "auth", "generate")),
    "redirected to https": Row(b"", 301, headers={"Location": "https://a.example/"}, target=ABROAD, request=CLEAR,
                               held=("transport.no-plain-http",)),
    "nobody at http": Row(status=None, target=ABROAD, request=CLEAR, failure=Failure("connect", "refused"),
                          held=("transport.no-plain-http",), silent=("transport.framing",)),
    "TLS where http was tried": Row(status=None, target=ABROAD, request=CLEAR, failure=Failure("framing", "no HTTP"),
                                    held=("transport.no-plain-http",), silent=("transport.framing",)),
    "a stranger at http": Row(error(), 401, target=ABROAD, request=CLEAR, silent=("transport", "auth")),
    "an id that injects": Row(error(), 400, headers={"X-Testcard-Injected": "yes"}, request=HOSTILE,
                              broken=("identity.request-id-safe",)),
    "an id that fails": Row(error(), 500, request=HOSTILE, broken=("identity.request-id-safe",), silent=("error",)),
    "an id that is refused": Row(b"<p>Bad request</p>", 400, request=HOSTILE, held=("identity.request-id-safe",),
                                 silent=("transport", "error")),
    "a key in the query": Row(good(), request=presented("as ?key=", "auth.key-in-query"), broken=("auth.key-in-query",),
                              silent=("generate", "response", "image")),
    "a key in the query, no wallet": Row(error(), 402, request=presented("as ?key=", "auth.key-in-query"),
                                         broken=("auth.key-in-query",)),
    "a parameter that nobody knows": Row(error(), 400, request=presented("as ?key=", "auth.key-in-query"),
                                         held=("auth.key-in-query",), silent=("error",)),
    "half a key": Row(good(), request=presented("its first half", "auth.shortened-key"),
                      broken=("auth.shortened-key",)),
    "half a key, refused": Row(error("authentication_error"), 401, held=("auth.shortened-key",),
                               request=presented("its first half", "auth.shortened-key")),
    "another case": Row(good(), request=presented("in the other case", "auth.near-miss-key"),
                        broken=("auth.near-miss-key",)),
    "another case, refused": Row(error("authentication_error"), 401, held=("auth.near-miss-key",),
                                 request=presented("in the other case", "auth.near-miss-key")),
    "a good key as Basic": Row(good(), request=presented("Basic"), broken=("auth.malformed-credentials",)),
    "bearer": Row(good(), request=presented("lower-case scheme", "auth.scheme-case"), held=("auth.scheme-case",)),
    "bearer unknown": Row(error(), 401, request=presented("lower-case scheme", "auth.scheme-case"),
                          broken=("auth.scheme-case",), silent=("error", "generate")),
    "a made-up key": Row(good(), request=asked(authorization="Bearer sk-wrong-1"), broken=("auth.wrong-key",)),
    # generate: what must be accepted
    "refused": Row(error(), 400, broken=("generate.full",), silent=("image",)),
    "documented 503": Row(error("service_unavailable"), 503, silent=("generate",), held=("error.unavailable",)),
    "undocumented 502": Row(error(), 502, broken=("generate.full",)),
    "429": Row(**LIMITED, headers={"Retry-After": "7"}, silent=("generate",),  # type: ignore[arg-type]
               held=("error.rate-limit", "limit.retry-after")),
    "one of two": Row(good(), request=asked(fields={"n": 2}), broken=("generate.n-honoured",)),
    "two for none": Row(good(b64(PNG), b64(OTHER)), request=asked(fields={"n": ...}), broken=("generate.default-n",)),
    "url for b64": Row(good({"url": PICTURE_URL}), broken=("generate.b64-json",)),
    "b64 for url": Row(good(), request=ASKED_URL, broken=("generate.url",)),
    "another default": Row(good(), request=BARE, broken=("generate.default-format", "generate.default-size")),
    "may be refused": Row(error(), 400, request=asked(may_refuse=True, requirement="generate.unknown-field"),
                          held=("generate.unknown-field",)),
    "may not be 500": Row(error(), 500, request=asked(may_refuse=True, requirement="generate.unknown-field"),
                          broken=("generate.unknown-field",)),
    # generate: what must be refused
    "refusal": Row(error(), 400, request=asked(violations=(TOO_MANY,)),
                   held=("generate.n-out-of-range", "error.envelope", "error.refusal-status")),
    "no refusal": Row(good(), request=asked(violations=(TOO_MANY,)), broken=("generate.n-out-of-range",),
                      silent=("image", "response")),
    "refusal with 500": Row(error("server_error"), 500, request=asked(violations=(TOO_MANY,)),
                            broken=("generate.n-out-of-range",)),
    "500, to be asked again": Row(error("server_error"), 500, request=asked(violations=(TOO_MANY,)), attempt=1,
                                  silent=("generate",)),
    "refusal with 418": Row(error(), 418, request=asked(violations=(TOO_MANY,)),
                            held=("generate.n-out-of-range",), broken=("error.refusal-status",)),
    "422 at openai": Row(error(code=None, param="n"), 422, request=asked(violations=(TOO_MANY,)),
                         target=dataclasses.replace(MOCK, dialect="openai"),
                         held=("error.refusal-status", "error.code"), broken=("error.refusal-400",)),
    "several": Row(good(), request=asked(violations=(TOO_MANY, NO_PROMPT)), broken=("generate.forbidden-combination",)),
    "unknown model": Row(error("not_found"), 404, request=asked(violations=(NO_MODEL,)),
                         held=("generate.model-unknown",)),
    "unknown model, 400": Row(error(), 400, request=asked(violations=(NO_MODEL,)), broken=("generate.model-unknown",)),
    "unknown model at openai": Row(error(code=None), 400, request=asked(violations=(NO_MODEL,)),
                                   held=("generate.model-unknown",), target=OPENAI),
    "empty wallet": Row(error("insufficient_credits"), 402, request=asked(key="empty_wallet"),
                        held=("error.empty-wallet", "error.credits")),
    "rich empty wallet": Row(good(), request=asked(key="empty_wallet"), broken=("error.empty-wallet",)),
    # response
    "no data": Row({"created": int(NOW)}, broken=("response.data",), silent=("image",)),
    "empty data": Row({"created": int(NOW), "data": []}, broken=("response.data",)),
    "data of strings": Row(good("x"), broken=("response.data",)),
    "an array": Row([1], broken=("response.data",)),
    "an error in a 200": Row(error(), broken=("response.no-error",), silent=("response.data",)),
    "both forms": Row(good({**b64(PNG), "url": None}), broken=("response.one-representation",)),
    **{
        f"created {created!r}"[:40]: Row(good() | {"created": created}, broken=("response.created",))
        for created in (None, True, "1800000000", int(NOW) * 1000, int(NOW) - 301, NOW + 0.5, 0, 1e308, 10**400)
    },
    "created infinite": Row(b'{"created": 1e999, "data": [{"b64_json": "x"}]}', broken=("response.created",)),
    "created near": Row(good() | {"created": int(NOW) - 299}, held=("response.created",)),
    "an item's own types": Row(good(b64(PNG) | {"revised_prompt": 7}), broken=("response.item-types",)),
    "null": Row(good(b64(PNG) | {"revised_prompt": None}), broken=("response.no-null",)),
    "echoes": Row(good(size="64x48", model=MOCK.model, usage={"generated_images": 1}),
                  held=("response.echo-true", "response.model-echo", "response.usage")),
    "false echoes": Row(good(size="1024x1024", model="another", usage=7),
                        broken=("response.echo-true", "response.model-echo", "response.usage")),
    "a path on the server": Row(good(path="/srv/images/1.png"), broken=("response.no-internals",)),
    # image
    "trailing bytes": Row(good(b64(PNG + b"--boundary--")), broken=("image.trailing-bytes",),
                          held=("image.decodable",)),
    "a path in a picture": Row(good(b64(png(text="/home/render/1.png"))), broken=("image.no-internals",)),
    "landscape shown as portrait": Row(good(b64(turned(64, 48))), broken=("image.size",)),
    "landscape stored as portrait": Row(good(b64(turned(48, 64))), held=("image.size",)),
    "another size": Row(good(b64(SMALL)), broken=("image.size",), held=("image.decodable",)),
    "cut": Row(good(b64(PNG[:-20])), broken=("image.decodable",), silent=("image.not-blank",)),
    "no picture": Row(good(b64(b"x" * 90)), broken=("image.decodable",), silent=("image.size", "image.not-blank")),
    "a data URL": Row(good({"b64_json": "data:image/png;base64," + b64(PNG)["b64_json"]}), broken=("image.base64",),
                      held=("image.decodable", "image.size")),
    "one colour": Row(good(b64(BLANK)), broken=("image.not-blank",), held=("image.decodable",)),
    "twins": Row(good(b64(PNG), b64(PNG)), request=asked(fields={"n": 2}), broken=("image.distinct",)),
    # media
    "fetched": Row(**ON_URL, media=((PICTURE_URL, shown()),), held=("media.fetch", "image.size", "generate.url")),  # type: ignore[arg-type]
    "gone": Row(**ON_URL, media=((PICTURE_URL, shown(status=404, data=b"")),), broken=("media.fetch",),  # type: ignore[arg-type]
                silent=("image",)),
    "timed out": Row(**ON_URL, media=((PICTURE_URL, Failure("timeout", "late")),), broken=("media.fetch",)),  # type: ignore[arg-type]
    "not asked": Row(**ON_URL, media=((PICTURE_URL, Failure("not-fetched", "private")),),  # type: ignore[arg-type]
                     silent=("media.fetch", "image")),
    "a jpg": Row(**JPG_URL, media=((JPG, shown()),), broken=("media.extension",)),  # type: ignore[arg-type]
    "a png": Row(**ON_URL, media=((PICTURE_URL, shown()),), held=("media.extension",)),  # type: ignore[arg-type]
    "a jpg by choice": Row(**JPG_URL, silent=("media.extension",),  # type: ignore[arg-type]
                           media=((JPG, CHOSEN),)),
    "one url for two": Row(good({"url": PICTURE_URL}, {"url": PICTURE_URL}), request=ASKED_URL,
                           media=((PICTURE_URL, shown()), (PICTURE_URL, shown(data=OTHER))),
                           broken=("media.url-unique",)),
    "two urls": Row(good({"url": PICTURE_URL}, {"url": JPG}), request=ASKED_URL, held=("media.url-unique",),
                    broken=("generate.n-honoured",),
                    media=((PICTURE_URL, shown()), (JPG, Failure("not-fetched", "private")))),
    "down to http": Row(**ON_URL, broken=("media.fetch",), media=(  # type: ignore[arg-type]
                        (PICTURE_URL, Response(302, (("Location", "http://elsewhere.example.com/"),), b"")),)),
    "the client's own machine": Row(good({"url": "https://localhost/1.png"}), request=ASKED_URL, target=HTTPS,
                                    media=(("https://localhost/1.png", Failure("not-fetched", "private")),),
                                    broken=("media.url-absolute",)),
    "mislabelled": Row(**ON_URL, media=((PICTURE_URL, shown("text/plain")),), broken=("media.content-type",)),  # type: ignore[arg-type]
    "an old alias": Row(**ON_URL, media=((PICTURE_URL, shown("image/x-png")),), held=("media.content-type",)),  # type: ignore[arg-type]
    "another host": Row(**ON_URL, target=HTTPS, media=((PICTURE_URL, shown()),),  # type: ignore[arg-type]
                        broken=("media.host", "media.url-absolute")),
    "a path": Row(good({"url": "/x.png"}), request=ASKED_URL, media=(("/x.png", Failure("not-fetched", "no URL")),),
                  broken=("media.url-absolute",), silent=("media.host", "media.fetch")),
    "a bad port": Row(good({"url": "http://h:x/"}), request=ASKED_URL,
                      media=(("http://h:x/", Failure("not-fetched", "no URL")),), broken=("media.url-absolute",)),
    # error
    **{
        f"no envelope {number}": Row(body, 400, request=asked(violations=(TOO_MANY,)), broken=("error.envelope",))
        for number, body in enumerate(
            ([], {}, {"error": "x"}, {"error": {"message": "x"}}, error(None), error(5), {"error": {"type": "x"}},
             {"error": {"message": " ", "type": "x"}}, {"error": {"message": ["x"], "type": "x"}})
        )
    },
    "a wrong slug": Row(error("auth_error"), 401, request=asked(key=None), broken=("error.authentication",)),
    "401 with retry": Row(error("authentication_error"), 401, {"Retry-After": "1"}, asked(key=None),
                          broken=("error.authentication",)),
    "402 with retry": Row(error("insufficient_credits"), 402, {"x-should-retry": "true"}, asked(key="empty_wallet"),
                          broken=("error.credits",)),
    "429 without retry": Row(**LIMITED, headers={"x-should-retry": "False", "Retry-After": "1"},  # type: ignore[arg-type]
                             broken=("error.rate-limit",)),
    "a code": Row(error(code="400"), 400, request=asked(violations=(TOO_MANY,)), broken=("error.code",),
                  target=dataclasses.replace(MOCK, dialect="vendor")),
    "the code": Row(error(code=400), 400, request=asked(violations=(TOO_MANY,)), held=("error.code",),
                    target=dataclasses.replace(MOCK, dialect="vendor")),
    "no code here": Row(error(code=[]), 400, request=asked(violations=(TOO_MANY,)), silent=("error.code",)),
    "param 5": Row(error(param=5), 400, request=asked(violations=(TOO_MANY,)), broken=("error.code",),
                   target=dataclasses.replace(MOCK, dialect="openai")),
    "a trace": Row(error(trace='Traceback (most recent call last):\n File "/app/x.py", line 3'), 500,
                   broken=("error.no-internals",)),
    "a picture beside the error": Row({**error("insufficient_credits"), "data": [{"b64_json": "eA=="}]}, 402,
                                      broken=("error.no-picture",)),
    "no data beside the error": Row({**error(), "data": []}, 400, request=asked(violations=(TOO_MANY,)),
                                    held=("error.no-picture",)),
    "503 in words": Row(error("service_unavailable"), 503, headers={"Retry-After": "soon"},
                        broken=("error.retry-after",)),
    "503 in a while": Row(error("service_unavailable"), 503, headers={"Retry-After": "7"}, held=("error.retry-after",)),
    "503 now or then": Row(error("service_unavailable"), 503, silent=("error.retry-after",)),
    **{
        f"param {param}": Row(error(param=param), 400, request=asked(violations=(TOO_MANY,)),
                              target=dataclasses.replace(MOCK, dialect="openai"), **said)  # type: ignore[arg-type]
        for param, said in (
            *((name, {"held": ("error.param",)}) for name in ("n", "body.n", "$['n']")),
            ("prompt", {"broken": ("error.param",)}),
            *((name, {"silent": ("error.param",)}) for name in (None, "", "body", "quality")),
        )
    },
    "no trace": Row(error("server_error"), 500, held=("error.no-internals",)),
    # limit
    **{
        f"Retry-After {value}": Row(**LIMITED, headers={"Retry-After": value}, broken=("limit.retry-after",))  # type: ignore[arg-type]
        for value in (None, "", "0", "-1", "61", "1.5", "soon", "9" * 400)
    },
    "Retry-After 60": Row(**LIMITED, headers={"Retry-After": "60"}, held=("limit.retry-after",)),  # type: ignore[arg-type]
    "limit headers": Row(good(), headers={"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "10",
                                          "x-ratelimit-reset-requests": "6m0s"}, held=("limit.headers",)),
    **{
        f"limit headers {number}": Row(good(), headers={"x-ratelimit-limit": "10", **lines}, broken=("limit.headers",))
        for number, lines in enumerate(
            ({"x-ratelimit-remaining": "11"}, {"x-ratelimit-remaining": "-1"}, {"x-ratelimit-reset": "soon"},
             {"x-ratelimit-remaining": "nan"}, {"x-ratelimit-reset": "-1"}, {"x-ratelimit-remaining": "6m0s"})
        )
    },
    "no limit headers": Row(good(), silent=("limit",)),
    # identity
    "no id": Row(good(), headers={"x-request-id": None}, broken=("identity.request-id",),
                 silent=("identity.request-id-echoed",)),
    "another id": Row(good(), headers={"x-request-id": "x"}, held=("identity.request-id",),
                      broken=("identity.request-id-echoed",)),
    "another id at openai": Row(good(), headers={"x-request-id": "x"}, silent=("identity.request-id-echoed",),
                                target=dataclasses.replace(MOCK, dialect="openai")),
    "any model": Row({"id": "x"}, request=NO_SUCH_MODEL, broken=("models.unknown",)),
    "no such model": Row(error("not_found"), 404, request=NO_SUCH_MODEL, held=("models.unknown",)),
    # models
    **{
        name: Row(body, status, request=Request("models", method="GET", path="/models"), held=held, broken=broken,
                  silent=silent)
        for name, body, status, held, broken, silent in (
            ("models", {"data": [{"id": MOCK.model}]}, 200, ("models.list", "models.target-listed"), (), ("generate",)),
            ("dated models", {"object": "list", "data": [{"id": "x", "object": "model", "created": 7, "owned_by": ""}]},
             200, ("models.list", "models.members"), ("models.target-listed",), ()),
            ("models of milliseconds", {"data": [{"id": "x", "created": 1767225600000}]}, 200, ("models.list",),
             ("models.target-listed", "models.members"), ()),
            ("models with a folder", {"data": [{"id": MOCK.model, "root": "/srv/models/x"}]}, 200,
             ("models.list", "models.target-listed", "models.members"), ("response.no-internals",), ()),
            ("a model without a name", {"data": [{"id": ""}]}, 200, (), ("models.list",), ()),
            ("other models", {"data": [{"id": "x"}]}, 200, ("models.list",), ("models.target-listed",), ()),
            ("models on other pages", {"data": [{"id": "x"}], "has_more": True}, 200, ("models.list",), (),
             ("models.target-listed",)),
            ("no models", {"data": []}, 200, (), ("models.list",), ("models.target-listed",)),
            ("models of no id", {"data": [{"name": "x"}]}, 200, (), ("models.list",), ()),
            ("models as strings", {"data": ["x"]}, 200, (), ("models.list",), ()),
            ("models gone", error("not_found"), 404, (), ("models.list",), ()),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_an_answer_is_judged_for_what_it_shows(name: str) -> None:
    """What the row says is held, broken or passed over in silence, and every accusation says what was seen."""
    row = ROWS[name]
    judgement = judged(row)
    broken = {finding.requirement for finding in judgement.broken}
    assert set(row.held) <= set(judgement.held), judgement.broken
    assert set(row.broken) <= broken
    spoken = broken | set(judgement.held)
    assert not {said for said in spoken if said in row.silent or said.partition(".")[0] in row.silent}
    for finding in judgement.broken:
        assert finding.expected
        assert finding.actual
        assert len(finding.actual) < 1000
    if not row.broken:
        assert broken <= {"identity.request-id-echoed", "auth.challenge"}


@pytest.mark.parametrize("name", ["a good answer", "two pictures", "defaults", "models", "refusal", "keyless 401"])
def test_a_server_that_keeps_the_contract_is_accused_of_nothing(name: str) -> None:
    """Nothing at all is broken, and a quick look under load agrees."""
    row = ROWS[name]
    assert not judged(row).broken
    assert not judged(row, full=False).broken


def test_judging_is_pure() -> None:
    """The same exchange gets the same findings twice, all of them of the catalogue."""
    for row in ROWS.values():
        first, second = judged(row), judged(row)
        assert first == second
        assert {finding.requirement for finding in first.findings} <= set(schemas.requirements())


def test_every_judge_is_shown_both_ways() -> None:
    """No requirement that one answer can show lacks a row that holds it and a row that breaks it."""
    held = {name for row in ROWS.values() for name in row.held}
    broken = {name for row in ROWS.values() for name in row.broken}
    by_probe = frozenset[str]().union(*(probe.judges for probe in PROBES)) - {"limit.retry-after"}
    by_many = by_probe | {"image.one-format", "media.url-unguessable"}
    named_by_the_request = {
        name
        for name in schemas.requirements()
        if name.startswith(("generate.", "sdk.", "transport.other", "transport.head-form"))
    }
    occasions = {"error.server", "error.not-found"}
    heads = {f"transport.{name}" for name in ("head", "line-ends", "single-fields")}  # in test_judge_heads.py, and so
    heads |= {"error.no-addresses", "error.retry-after-ms"}
    rest = set(schemas.requirements()) - by_many - heads - named_by_the_request - occasions
    assert rest - broken <= {"error.unavailable"}
    assert rest - held <= {"auth.malformed-credentials", "auth.before-validation", "error.refusal-400"}
