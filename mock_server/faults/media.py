"""Faults of the URLs of pictures, and of what they lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from testcard.mock_server.faults.fault import Fault, Item
from testcard.mock_server.message import Answer, Call, Order

_GONE = {"error": {"message": "There is no such picture.", "type": "not_found"}}
_STRANGER = {"error": {"message": "The API key is missing or invalid.", "type": "authentication_error"}}
_PAGE = b"<!doctype html><title>Almost there</title><p>Your picture will be ready soon.</p>"


def _url(change: Callable[[str], str]) -> Callable[[Item, Order], Item]:
    return lambda item, _: item | {"url": change(item["url"])} if isinstance(item.get("url"), str) else item


def _other_host(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"media.invalid:{parts.port or 80}").geturl()


def _needs_key(answer: Answer, call: Call) -> Answer:
    if call.key in call.promise.keys.values():
        return answer
    return replace(answer, status=401, raw=None, document=_STRANGER, media_type="application/json")


def _urls(change: Callable[[str, Call], str]) -> Callable[[Answer, Call], Answer]:
    """Change every url of a 200 with pictures."""

    def changed(answer: Answer, call: Call) -> Answer:
        items = answer.document.get("data") if isinstance(answer.document, dict) and answer.order else None
        if not isinstance(items, list):
            return answer
        data = [
            item | {"url": change(item["url"], call)}
            if isinstance(item, dict) and isinstance(item.get("url"), str)
            else item
            for item in items
        ]
        return replace(answer, document={**answer.document, "data": data})

    return changed


def _first(url: str, call: Call) -> str:
    first: str = call.memory.setdefault("first url", url)
    return first


def _counted(url: str, call: Call) -> str:
    folder, _, name = url.rpartition("/")
    number = call.memory["urls"] = call.memory.get("urls", 1000) + 1
    call.memory[f"picture {number}"] = name.partition(".")[0]
    return f"{folder}/{number}.png"


def _gone(answer: Answer, call: Call) -> Answer:
    seen = call.memory.setdefault("fetched", set())
    if call.path not in seen:
        seen.add(call.path)
        return answer
    return replace(answer, status=404, raw=None, document=_GONE, media_type="application/json")


def _newest(answer: Answer, call: Call) -> Answer:
    """At a second fetch, the last picture that was fetched for the first time."""
    seen = call.memory.setdefault("fetched", set())
    if call.path not in seen and answer.status == 200:
        seen.add(call.path)
        call.memory["newest"] = answer.raw
    return replace(answer, raw=call.memory.get("newest", answer.raw)) if answer.status == 200 else answer


FAULTS = (
    Fault(
        name="url-relative",
        breaks=("media.url-absolute",),
        describe="A url is a path without a host.",
        item=_url(lambda url: urlsplit(url).path),
    ),
    Fault(
        name="url-without-scheme",
        breaks=("media.url-absolute",),
        describe="A url is without a scheme.",
        item=_url(lambda url: url.partition(":")[2]),
    ),
    Fault(
        name="url-with-credentials",
        breaks=("media.url-absolute",),
        describe="A url carries a user name and a password.",
        item=_url(lambda url: url.replace("://", "://reader:letmein@", 1)),
    ),
    Fault(
        name="url-other-host",
        breaks=("media.host",),
        describe="A url is on a host that nobody declared.",
        item=_url(_other_host),
    ),
    Fault(
        name="media-404",
        breaks=("media.fetch",),
        describe="The url of a picture leads nowhere.",
        media=lambda answer, _: replace(answer, status=404, raw=None, document=_GONE, media_type="application/json"),
    ),
    Fault(
        name="media-needs-key",
        breaks=("media.fetch",),
        describe="The url of a picture asks for the API key.",
        media=_needs_key,
    ),
    Fault(
        name="media-html",
        breaks=("media.fetch",),
        describe="The url of a picture leads to a page that asks for patience.",
        media=lambda answer, _: replace(answer, raw=_PAGE, media_type="text/html"),
    ),
    Fault(
        name="media-truncated",
        breaks=("media.fetch",),
        describe="The fetch of a picture breaks off.",
        media=lambda answer, _: replace(answer, framing="short"),
    ),
    Fault(
        name="media-wrong-type",
        breaks=("media.content-type",),
        describe="A PNG is labelled image/jpeg.",
        media=lambda answer, _: replace(answer, media_type="image/jpeg") if answer.status == 200 else answer,
    ),
    Fault(
        name="media-untyped",
        breaks=("media.content-type",),
        describe="A picture is labelled text/plain.",
        media=lambda answer, _: replace(answer, media_type="text/plain") if answer.status == 200 else answer,
    ),
    Fault(
        name="url-extension",
        breaks=("media.extension",),
        describe="The url of a PNG ends in .jpg.",
        item=_url(lambda url: url.removesuffix("png") + "jpg"),
    ),
    Fault(
        name="url-shared",
        breaks=("media.url-unique",),
        describe="All pictures have one url.",
        answer=_urls(_first),
    ),
    Fault(
        name="url-counted",
        breaks=("media.url-unguessable",),
        describe="The urls of pictures are numbered.",
        answer=_urls(_counted),
    ),
    Fault(
        name="media-gone",
        breaks=("media.refetch",),
        describe="A picture can be fetched once.",
        media=_gone,
    ),
    Fault(
        name="media-newest",
        breaks=("media.refetch",),
        describe="A url later leads to the newest picture.",
        media=_newest,
    ),
)
