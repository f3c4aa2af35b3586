"""Pictures by URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from testcard.conformance.judge.evidence import Evidence, broken, finding
from testcard.core.exchange import Exchange, Response
from testcard.core.mediahost import matches
from testcard.core.record import Finding
from testcard.core.target import Target, is_loopback

_MOST_URL = 100
_EXTENSIONS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "webp": "webp", "gif": "gif", "avif": "avif"}
_NO_URI = re.compile(r"[^\x21-\x7e]")
"""White space, controls and what is not ASCII (RFC 3986, section 2): curl and urllib refuse such a url."""
_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}


def judge(evidence: Evidence) -> Iterator[Finding]:
    target = evidence.contract.target
    if not evidence.generated or evidence.form != "url":
        return
    shown = {item.fetch.url for item in evidence.pictures if item.fetch and item.inspection.picture.format}
    for fetch in evidence.exchange.media:
        problem, parts = _address(fetch.url, target)
        shortened = fetch.url if len(fetch.url) <= _MOST_URL else f"{fetch.url[:_MOST_URL]}…"
        yield finding("media.url-absolute", problem is None, "an absolute http(s) URL", f"{shortened}: {problem}")
        if parts is None:
            continue
        on_host = any(matches(parts, host) for host in target.media_hosts)
        if target.media_hosts:
            yield finding("media.host", on_host, " or ".join(target.media_hosts), parts.netloc)
        if fetch.failure is None or fetch.failure.kind != "not-fetched":  # what we did not ask for accuses nobody
            yield _fetched(fetch, is_picture=fetch.url in shown)
            yield from _coding(fetch)
    urls = [fetch.url for fetch in evidence.exchange.media]
    if len(urls) > 1:
        same = len(urls) - len(set(urls))
        yield finding(
            "media.url-unique", same == 0, "a url for each picture", f"{same + 1} of {len(urls)} are the same"
        )
    for item in evidence.pictures:
        if item.fetch is not None and item.fetch.response is not None and item.inspection.picture.format:
            yield from _extension(item.fetch.url, item.inspection.picture.format, item.fetch.response)
            lines = [value for name, value in item.fetch.response.headers if name.lower() == "content-type"]
            label = item.fetch.response.media_type
            wanted = f"image/{item.inspection.picture.format}"
            yield finding(
                "media.content-type",
                _ALIASES.get(label, label) == wanted and len(lines) == 1,
                f"Content-Type: {wanted}",
                f"Content-Type: {' and '.join(lines) or 'none'}",
            )


def _address(url: str, target: Target) -> tuple[str | None, SplitResult | None]:
    """What is wrong with a URL, and its parts where it names a host at all."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises where the port is no number)
    except ValueError:
        return "it cannot be read", None
    if parts.scheme not in ("", "http", "https"):
        return f"its scheme is {parts.scheme}", None
    if not parts.scheme or not parts.hostname:
        return "it is not absolute", None
    if parts.username or parts.password:
        return "it carries credentials", parts
    if is_loopback(parts.hostname) and not target.on_loopback:
        return "it names the client's own machine", parts
    if parts.scheme == "http" and target.base_url.startswith("https:"):
        return "it leaves https", parts
    odd = _NO_URI.search(url)
    if odd is not None:
        return f"it holds {odd[0]!r}, which no URI may", parts
    return None, parts


def _coding(fetch: Exchange) -> Iterator[Finding]:
    """A picture is fetched without any content coding: who keeps the file as it came, keeps no picture."""
    used = (fetch.response.header("content-encoding") if fetch.response else None) or "identity"
    if used.strip().lower() != "identity":
        yield broken("transport.content-coding", "one of Accept-Encoding: identity", f"{used} around a picture")


def _extension(url: str, form: str, response: Response) -> Iterator[Finding]:
    """Whether a path that ends as a picture's name does ends as this picture's; a store that negotiates may differ."""
    extension = urlsplit(url).path.rpartition("/")[2].rpartition(".")[2].lower()
    if extension in _EXTENSIONS and not negotiated(response):
        right = _EXTENSIONS[extension] == form
        yield finding("media.extension", right, f"a path that names {form}", f".{extension} at the end of the path")


def negotiated(response: Response) -> bool:
    """Whether the format was chosen by what the client accepts (RFC 9110, section 12.5.5)."""
    varies = ",".join(value for name, value in response.headers if name.lower() == "vary").lower()
    return {"accept", "*"} & {name.strip() for name in varies.split(",")} != set()


def _fetched(fetch: Exchange, *, is_picture: bool) -> Finding:
    expected = "200 with the picture, without a key"
    if fetch.response is None or fetch.failure is not None:
        reason = fetch.failure.message if fetch.failure else "no answer"
        return broken("media.fetch", expected, reason)
    there = fetch.response.header("location") if 300 <= fetch.response.status < 400 else None
    answer = (
        f"{fetch.response.status} that leads on to {there[:_MOST_URL]}"
        if there
        else (
            f"{fetch.response.status} with {len(fetch.response.body)} bytes of {fetch.response.media_type or 'no type'}"
        )
    )
    return finding("media.fetch", fetch.response.status == 200 and is_picture, expected, answer)
