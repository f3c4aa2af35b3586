"""What an answer says about itself beside its pictures, and whether that is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from testcard.conformance.judge.evidence import Evidence, Item, broken, finding, held
from testcard.conformance.judge.media import negotiated
from testcard.core.record import Finding

_SIZE = re.compile(r"(\d+)\s*[xX*\u00d7]\s*(\d+)")
_FORMAT = re.compile(r"(?:image/)?(?:x-)?(png|jpe?g|webp|gif|avif)", re.IGNORECASE)
_FORMAT_NAMES = ("output_format", "format", "mime_type", "media_type", "content_type")
_FORMS = ("url", "b64_json")
_REPEATED = ("quality", "style", "background")
"""Fields whose echo is the request's, unless it left the choice to the server; or the server may ignore them, as it may
whatever the target does not declare, and then says what it took instead."""
_TOKENS = ("input_tokens", "output_tokens", "total_tokens")
_IMAGES = ("generated_images", "images", "image_count", "num_images", "n")
_MOST_SHOWN = 60


def judge(evidence: Evidence) -> Iterator[Finding]:
    body = evidence.response.json if evidence.response else None
    items = evidence.data
    if not isinstance(body, dict) or items is None:
        return
    claims = list(_claims(body, items, evidence))
    untrue = [claim for claim in claims if claim is not None]
    if untrue:
        expected, actual = untrue[0]
        yield broken("response.echo-true", expected, actual)
    elif claims:
        yield held("response.echo-true")
    yield from _model(body, evidence)
    if body.get("usage") is not None:
        problem = _usage_problem(body["usage"], len(items))
        yield finding("response.usage", problem is None, "counts that are integers and add up", f"usage: {problem}")


def _claims(body: dict[str, Any], items: list[dict[str, Any]], evidence: Evidence) -> Iterator[tuple[str, str] | None]:
    """For each echo None where it is true, else what would be true and what stands there."""
    pictures = evidence.pictures
    for picture in pictures:
        yield from _of_picture(body, "", picture)
        yield from _of_picture(items[picture.index], f"{picture.where}.", picture)
    n = body.get("n")
    if isinstance(n, int) and not isinstance(n, bool):
        yield None if n == len(items) else (f"n: {len(items)}, as many as came", f"n: {n}")
    form = body.get("response_format")
    if form in _FORMS:
        came = [name for name in _FORMS if items[0].get(name) is not None]
        yield None if form in came else (f"response_format: {' '.join(came)}, as it came", f"response_format: {form}")
    for name in _REPEATED:
        asked, said = evidence.fields.get(name), body.get(name)
        declared = bool(evidence.contract.target.request.get(name))
        if declared and isinstance(asked, str) and isinstance(said, str) and asked != "auto":
            yield None if said == asked else (f"{name}: {asked}, as asked for", f"{name}: {said[:_MOST_SHOWN]}")


def _of_picture(said: dict[str, Any], where: str, item: Item) -> Iterator[tuple[str, str] | None]:
    """The size and the format that an object gives a picture; what is no size (`auto`, `2K`) says nothing."""
    picture, shown = item.inspection.picture, item.inspection.shown_px
    size = _SIZE.fullmatch(said["size"]) if isinstance(said.get("size"), str) else None
    sides = (size[1], size[2]) if size else (said.get("width"), said.get("height"))
    if shown is not None and (size or all(type(side) is int for side in sides)):
        stored = (picture.width_px, picture.height_px)
        claimed = (int(sides[0] or 0), int(sides[1] or 0))
        true = claimed in (shown, stored)
        yield None if true else (f"{item.size}, as {item.where} is", f"{where}size: {claimed[0]}x{claimed[1]}")
    if item.fetch is not None and item.fetch.response is not None and negotiated(item.fetch.response):
        return  # the answer speaks of the picture that is stored
    for name in _FORMAT_NAMES:
        value = said.get(name)
        found = _FORMAT.fullmatch(value) if isinstance(value, str) else None
        if found is not None and picture.format is not None:
            claimed_format = found[1].lower().replace("jpg", "jpeg")
            true = claimed_format == picture.format
            yield None if true else (f"{picture.format}, as {item.where} is", f"{where}{name}: {value}")


def _model(body: dict[str, Any], evidence: Evidence) -> Iterator[Finding]:
    """Whether the named model is the requested one. Vendors shorten slugs, prefix them and date them."""
    asked, said = evidence.fields.get("model"), body.get("model")
    if not isinstance(asked, str) or not isinstance(said, str) or not said:
        return
    one, other = _bare(asked), _bare(said)
    same = bool(one) and bool(other) and (one in other or other in one)
    yield finding("response.model-echo", same, f"model: {asked}", f"model: {said[:_MOST_SHOWN]}")


def _bare(slug: str) -> str:
    return re.sub(r"[^a-z0-9]", "", slug.rpartition("/")[2].lower())


def _usage_problem(usage: object, images: int) -> str | None:
    if not isinstance(usage, dict):
        return f"{type(usage).__name__} instead of an object"
    for name in (*_TOKENS, "generated_images"):
        value = usage.get(name)
        if value is not None and not _is_count(value):
            return f"{name}: {str(value)[:_MOST_SHOWN]!r} is no count"
    taken, given, total = (usage.get(name) for name in _TOKENS)
    if taken is not None and given is not None and total is not None and total < taken + given:
        return f"total_tokens: {total} for {taken} and {given}"
    for name in _IMAGES:
        value = usage.get(name)
        if _is_count(value) and value != images:
            return f"{name}: {value}, and {images} came"
    return None


def _is_count(value: object) -> bool:
    """A non-negative integer; JSON Schema takes 5.0 for one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value >= 0 and value == value // 1
