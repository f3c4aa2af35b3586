"""Looking at all pictures of a check together, and once more at those that came by URL: are they still there?"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image, ImageChops, ImageStat

from testcard.conformance.container import kind_of
from testcard.conformance.judge.evidence import Evidence, broken, held
from testcard.conformance.judge.media import negotiated
from testcard.conformance.picture import inspect, strict_base64
from testcard.conformance.probe.guess import guessable
from testcard.conformance.probe.probe import Cost, Probe
from testcard.conformance.session import Session
from testcard.core import outcome
from testcard.core.exchange import Exchange
from testcard.core.judgement import Judgement
from testcard.core.record import Finding
from testcard.core.runfile import Skip

_MOST = 8
_BUSY = (408, 425, 429)
_HEAD_CHARACTERS = 64
_NEAR = 4.0
"""Of 255, on average over pixels and colours: how far a picture may be from itself when it is encoded with losses
once more. Two test cards that differ in their text are five apart."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture that came by URL."""

    fetch: Exchange
    data: bytes
    kind: str
    negotiated: bool


def _run(session: Session) -> None:
    answers = [Evidence(exchange, session.contract) for exchange in session.answers]
    shown = [picture for answer in answers if answer.generated for picture in _shown(answer.exchange)]
    for finding in (*_unique(answers), *_guessing(answers), *_one_format(answers, shown)):
        session.find(finding)
    chosen = shown[:_MOST]
    if not chosen:
        session.find(Skip("media.refetch", outcome.NOT_JUDGED, _why_none(session)))
        return
    for picture in chosen:
        if session.closed:
            return
        again = session.sender.fetch_again(picture.fetch, partial(_look, picture))
        if _unclear(again):
            reason = f"a picture could not be fetched once more: {again.failure or again.status}"
            session.find(Skip("media.refetch", outcome.NOT_JUDGED, f"{reason} (record {again.number})"))


def _why_none(session: Session) -> str:
    """Why there is nothing to fetch again, and what can be done about it."""
    none = "no answer brought a url that gave a picture"
    if "response_formats" in session.contract.assumed:
        return f"{none}, rightly if none is offered: declare response_formats in [target]"
    return f"{none}: generate.url and media.fetch say what came in its place"


def _shown(exchange: Exchange) -> Iterator[_Shown]:
    if exchange.secrets_seen:
        return  # whatever held our key was cut out of what we know, and may be a part of the url
    for fetch in exchange.media:
        response = fetch.response
        if response is None or fetch.failure is not None or response.status != 200:
            continue
        kind = kind_of(response.body)
        if kind is not None:
            yield _Shown(fetch, response.body, kind, negotiated(response))


def _unique(answers: Sequence[Evidence]) -> Iterator[Finding]:
    """Whether two answers share a url; one that repeats its own is judged by itself."""
    first: dict[str, int] = {}
    for answer in answers:
        number = answer.exchange.number
        for url in {fetch.url for fetch in answer.exchange.media if answer.generated}:
            earlier = first.setdefault(url, number)
            if earlier != number:
                yield Finding(
                    "media.url-unique",
                    held=False,
                    expected="a url for each picture",
                    actual=f"records {earlier} and {number} name the same",
                    evidence=(earlier, number),
                )
                return
    if len(set(first.values())) > 1:
        yield Finding("media.url-unique", held=True, evidence=tuple(dict.fromkeys(first.values())))


def _guessing(answers: Sequence[Evidence]) -> Iterator[Finding]:
    named = {
        fetch.url: answer.exchange.number for answer in answers if answer.generated for fetch in answer.exchange.media
    }
    verdict = guessable(list(named))
    if verdict is not None:
        yield Finding(
            "media.url-unguessable",
            held=not verdict.guessable,
            expected="something random in every url",
            actual=verdict.described,
            evidence=tuple(dict.fromkeys(named.values())),
        )


def _one_format(answers: Sequence[Evidence], shown: Sequence[_Shown]) -> Iterator[Finding]:
    """Whether urls and base64 have a format in common."""
    by_url = {picture.kind: picture.fetch.number for picture in shown if not picture.negotiated}
    inline: dict[str, int] = {}
    for answer in answers:
        for item in answer.data or ():
            text = item.get("b64_json")
            data = strict_base64(text[:_HEAD_CHARACTERS])[0] if isinstance(text, str) else None
            kind = kind_of(data or b"")
            if kind is not None:
                inline[kind] = answer.exchange.number
    if by_url and inline:
        yield Finding(
            "image.one-format",
            held=bool(set(by_url) & set(inline)),
            expected="one format for both",
            actual=f"{' and '.join(sorted(by_url))} by url, {' and '.join(sorted(inline))} as base64",
            evidence=(*by_url.values(), *inline.values()),
        )


def _unclear(again: Exchange) -> bool:
    """Whether a second fetch says nothing of the picture: it may pass."""
    return again.response is None or again.failure is not None or again.status in _BUSY or again.response.status >= 500


def _look(picture: _Shown, again: Exchange) -> Judgement:
    """Whether the second fetch brought what the first did."""
    name, expected = "media.refetch", "the same picture once more"
    if again.response is None or _unclear(again):
        return Judgement()
    data = again.response.body
    found = () if kind_of(data) is None else (inspect(data, full=False).picture,)
    if again.status != 200:
        finding = broken(
            name, expected, f"{again.status} at the second fetch of record {picture.fetch.number}'s picture"
        )
    elif data == picture.data or _alike(data, picture.data):
        finding = held(name)
    else:
        came = f"another {found[0].format}" if found else f"{again.response.media_type or 'no type'}, no picture,"
        finding = broken(name, expected, f"{came} at the second fetch of record {picture.fetch.number}'s picture")
    if not finding.held:  # the first of the two records can be sent again, and names the picture
        finding = replace(finding, evidence=(picture.fetch.number, again.number))
    return Judgement((finding,), found)


def _alike(one: bytes, other: bytes) -> bool:
    """Whether two files show the same: a store may write or encode a picture anew for every client."""
    try:
        first, second = _pixels(one), _pixels(other)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    if first.size != second.size:
        return False
    if kind_of(one) == kind_of(other) == "png":
        return first.tobytes() == second.tobytes()
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3 <= _NEAR


def _pixels(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGBA")


MEDIA = Probe(
    name="media",
    requires="media.refetch",
    judges=frozenset({"media.refetch", "media.url-unguessable", "image.one-format"}),
    gives=frozenset({"media.url-unique"}),
    when="last",
    cost=lambda _: Cost(0, 0, 0.0),
    run=_run,
)
