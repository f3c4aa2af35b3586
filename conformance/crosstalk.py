"""Whether answers to requests that were in flight together went to the right ones. Pure.

An answer is another request's where it shows what only that one can have: its size, number and form of pictures (and
the other's answer does not), its prompt, its request id, or the very picture that it got. A server that has one size
for everybody, or turns width and height around, mixes nothing up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from testcard.conformance.contract import Contract
from testcard.conformance.judge.evidence import Evidence
from testcard.core.exchange import Exchange

_MARK = re.compile(rb"no\. [0-9a-f]{8}")
"""What the prompts of one check differ in."""

Signature = tuple[tuple[int, int], int, str]
"""Width and height, number, form of pictures."""


@dataclass(frozen=True)
class Flight:
    """One request that was in flight with others, and its answer."""

    exchange: Exchange
    evidence: Evidence

    @classmethod
    def of(cls, exchange: Exchange, contract: Contract) -> Flight:
        return cls(exchange, Evidence(exchange, contract, full=False))

    @cached_property
    def asked(self) -> Signature | None:
        fields = self.evidence.fields
        size = re.fullmatch(r"(\d+)x(\d+)", str(fields.get("size") or ""))
        if size is None:
            return None
        return (int(size[1]), int(size[2])), fields.get("n") or 1, self.evidence.form

    @cached_property
    def got(self) -> Signature | None:
        items = self.evidence.data or []
        sizes = {
            (seen.height_px, seen.width_px) if item.inspection.turned else (seen.width_px, seen.height_px)
            for item in self.evidence.pictures
            for seen in (item.inspection.picture,)
        }
        forms = {form for item in items for form in ("url", "b64_json") if isinstance(item.get(form), str)}
        if len(sizes) != 1 or len(forms) != 1 or len(self.evidence.pictures) != len(items):
            return None
        width, height = sizes.pop()
        return ((width, height), len(items), forms.pop()) if width and height else None

    @cached_property
    def digests(self) -> frozenset[str]:
        return frozenset(
            item.inspection.picture.sha256 for item in self.evidence.pictures if item.inspection.picture.format
        )

    @cached_property
    def mark(self) -> bytes | None:
        found = _MARK.search(self.exchange.request.body or b"")
        return found[0] if found else None


def together(one: Exchange, other: Exchange) -> bool:
    """Whether two requests were in flight at the same time, seen from here."""
    if one.last_byte_s is None or other.last_byte_s is None:
        return True
    return one.sent_s < other.last_byte_s and other.sent_s < one.last_byte_s


def mixed_up(flights: Sequence[Flight], known: frozenset[str]) -> Iterator[tuple[Flight, Flight, str]]:
    """An answer, the request that it belongs to, and what shows it.

    Args:
        known: pictures that came when nothing else was in flight: whoever sends one to everybody mixes nothing up.
    """
    for flight in flights:
        for other in flights:
            if other is not flight and together(flight.exchange, other.exchange):
                sign = _sign(flight, other, known)
                if sign is not None:
                    yield flight, other, sign
    yield from _exchanged(flights)


def _sign(flight: Flight, other: Flight, known: frozenset[str]) -> str | None:
    """What in the answer to one request can only be from the other."""
    response = flight.exchange.response
    if response is None:
        return None
    if response.header("x-request-id") == other.exchange.request_id:
        return f"its X-Request-Id {other.exchange.request_id}"
    if other.mark is not None and other.mark != flight.mark and other.mark in response.body:
        return f"its prompt ({other.mark.decode()})"
    same = (flight.digests & other.digests) - known
    if same and flight.asked is not None and flight.got != flight.asked and flight.got == other.asked:
        return "its picture, byte by byte"
    return None


def _exchanged(flights: Sequence[Flight]) -> Iterator[tuple[Flight, Flight, str]]:
    """Answers that changed places: following them from request to request leads back to where it began."""
    owner = {flight.asked: flight for flight in flights if flight.asked is not None}
    for first in flights:
        here, way = first, [first]
        while here.got is not None and here.got != here.asked and (following := owner.get(here.got)) is not None:
            if following is first and not _turned(way):
                (width, height), n, form = here.got
                yield here, following, f"{n} of {width}x{height} as {form}"
                return
            if following in way:
                break
            way.append(following)
            here = following


def _turned(way: Sequence[Flight]) -> bool:
    """Whether width and height changed places in every answer, and nothing else did."""
    return all(
        flight.got is not None
        and flight.asked is not None
        and flight.got == (flight.asked[0][::-1], flight.asked[1], flight.asked[2])
        for flight in way
    )
