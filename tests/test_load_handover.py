"""The way of an answer from the socket to its record: long ones in shared memory, the rest on a pipe."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from loaded import load_of, plan_of, png, serving, target_of
from testcard.core.exchange import Failure, Request, Response
from testcard.core.record import Picture, Record
from testcard.core.redact import Redactor
from testcard.core.runfile import RunFile, redacted
from testcard.core.strictjson import parse
from testcard.core.target import Keyring, Target
from testcard.load import conclude, plan_load
from testcard.load.arena import LARGEST, SMALLEST, Arena, Reading
from testcard.load.brief import Brief
from testcard.load.ending import Ending
from testcard.load.ending import parse as parse_ending
from testcard.load.exchanges import Exchanges
from testcard.load.handover import END, Delivery, Planned, deliveries, frame
from testcard.load.reply import Fetched, Reply
from testcard.load.sampling import decoded_every, sampled

SIDE = 420  # noise of that size is more than 500,000 bytes of PNG
BIG = f"{SIDE}x{SIDE}"

linux_only = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")


def _shared(arena: Arena) -> Reading:
    assert arena.descriptor is not None
    return Reading(os.dup(arena.descriptor))


@linux_only
def test_places_are_used_again_once_they_were_read() -> None:
    """What was leased differs; what was read in between is leased again; what is in it comes out."""
    arena = Arena(8 * SMALLEST)
    reading = _shared(arena)
    first, second = arena.take(SMALLEST), arena.take(SMALLEST)
    assert first is not None
    assert second is not None
    assert first != second
    for lease, letter in ((first, b"a"), (second, b"b")):
        arena.view(lease)[:3] = letter * 3
        arena.hand_over(lease)
    assert reading.take(first.start, 3) == b"aaa"
    assert arena.take(SMALLEST) == first
    assert arena.take(SMALLEST) not in (None, first, second)
    assert reading.take(second.start, 3) == b"bbb"


@linux_only
def test_a_place_for_what_does_not_fit_is_none() -> None:
    """Too short, too long, or no room left: the answer goes another way. A place given back makes room."""
    arena = Arena(3 * SMALLEST)
    assert arena.take(SMALLEST - 1) is None
    assert arena.take(LARGEST + 1) is None
    lease = arena.take(SMALLEST + 1)
    assert lease is not None
    assert lease.capacity == 2 * SMALLEST
    assert arena.take(SMALLEST) is None  # the first page is the counter's
    arena.give_back(lease)
    assert arena.take(2 * SMALLEST) == lease


_text = st.text(max_size=8)
_headers = st.lists(st.tuples(_text, _text), max_size=3).map(tuple)
_moments = st.floats(0, 1e6)
_replies = st.builds(
    Reply,
    sent=_moments,
    first_byte=st.none() | _moments,
    last_byte=st.none() | _moments,
    status=st.none() | st.integers(100, 599),
    headers=_headers,
    body=st.binary(max_size=20),
    failure=st.none() | st.builds(Failure, _text, _text),
    lease=st.none(),
    size_bytes=st.integers(0, 10**9),
)
_plans = st.builds(
    Planned, _text, _text, st.none() | _text, st.none() | st.integers(0, 9), st.integers(1, 9), st.integers(1, 10)
)
_fetches = st.lists(st.builds(Fetched, _text, _moments, _moments, _moments, _replies), max_size=2).map(tuple)
_deliveries = st.builds(
    Delivery,
    arrival=st.integers(0, 10**6),
    planned=_plans,
    due=_moments,
    began_at=_moments,
    received_at=_moments,
    request_id=_text,
    body=st.binary(max_size=9),
    reply=_replies,
    fetched=_fetches,
)


def _delivery(reply: Reply, *fetched: Fetched) -> Delivery:
    return Delivery(16, Planned("measured", "peak", "1x1"), 7.5, 1e9, 1e9 + 1, "id", b"asked", reply, fetched)


@given(_deliveries, st.booleans())
@settings(deadline=None, max_examples=60, database=None)
def test_what_is_handed_over_arrives(delivery: Delivery, ended: bool) -> None:
    """Every field of an answer and of its pictures, and whether the worker said that it was done."""
    stream = io.BytesIO(frame(delivery) * 2 + (END if ended else b""))
    assert list(deliveries(stream, Reading(None))) == [delivery] * 2 + [None] * ended


class _Dribble(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(7 if size else 0)


def test_what_arrives_in_pieces_is_put_together() -> None:
    """Frames are told apart wherever the pipe cuts them, a long one too; what was taken is noted before each wait."""
    long = _delivery(Reply(0.0, status=200, body=b"x" * 1_000_000))
    short, events = _delivery(Reply(0.0)), list[int]()
    found: list[Delivery | None] = []
    stream = _Dribble(b"".join(frame(each) for each in (short, long, short)) + END)
    arriving = deliveries(stream, Reading(None), lambda: events.append(len(found)))
    while not found or found[-1] is not None:
        found.append(next(arriving))
    assert found == [short, long, short, None]
    assert set(events) >= {0, 1, 2, 3}


@linux_only
def test_bodies_come_from_their_places() -> None:
    """An answer's and a picture's body may lie in the arena; one that does not comes along."""
    arena = Arena()
    reading = _shared(arena)
    pictures = []
    for letter in (b"x", b"y"):
        lease = arena.take(SMALLEST)
        assert lease
        arena.view(lease)[:4] = letter * 4
        arena.hand_over(lease)
        pictures.append(Fetched("u", 0.0, 0.0, 0.0, Reply(0.0, status=200, lease=lease, size_bytes=4)))
    sent = _delivery(Reply(0.0, status=200, body=b"short", size_bytes=5), *pictures)
    (found,) = deliveries(io.BytesIO(frame(sent)), reading)
    assert found is not None
    assert [found.reply.body, *(picture.reply.body for picture in found.fetched)] == [b"short", b"xxxx", b"yyyy"]
    assert not any(picture.reply.lease for picture in found.fetched)


def test_a_stream_that_is_cut_ends_without_an_end() -> None:
    """A worker that is killed in the middle of a frame costs that frame only."""
    data = frame(_delivery(Reply(0.0)))
    for length in (0, 3, len(data), len(data) + 5, 2 * len(data) - 1):
        assert len(list(deliveries(io.BytesIO((data * 2)[:length]), Reading(None)))) == length // len(data)


def test_an_exchange_says_what_a_worker_knew() -> None:
    """Spans on the run's clock, the wall clock in UTC, the record's number, and the request as it was sent; a picture
    bears its answer's number and id."""
    target = target_of("http://127.0.0.1:9/v1")
    plan = plan_of(target, rate_per_s=20, duration_s=1.0)
    keyring = Keyring(target, {"TESTCARD_API_KEY": "sk-secret-0123456789"})
    brief = Brief(plan, target, Path(), started=5.0, first_number=4)
    picture = Fetched("http://127.0.0.1:9/a.png", 8.25, 1e9 + 0.5, 1e9 + 2, Reply(8.25, failure=Failure("closed", "-")))
    reply = Reply(7.625, 7.75, 8.0, 200, (("A", "b"),), b"answer", None, None, 6)
    exchange = Exchanges(brief, keyring, Redactor(keyring.values)).of(_delivery(reply, picture))
    assert exchange.request == Request(f"load {plan.scenario}, arrival 17", body=b"asked", images=1, key=plan.key)
    assert (exchange.number, exchange.url) == (20, "http://127.0.0.1:9/v1/images/generations")
    assert (exchange.at, exchange.received_at) == ("2001-09-09T01:46:40.000Z", 1e9 + 1)
    assert (exchange.planned_s, exchange.sent_s, exchange.first_byte_s, exchange.last_byte_s) == (2.5, 2.625, 2.75, 3.0)
    assert (exchange.response, exchange.failure) == (Response(200, (("A", "b"),), b"answer"), None)
    assert dict(exchange.sent_headers)["X-Request-Id"] == exchange.request_id == "id"
    assert "sk-secret" not in str(exchange)
    (fetch,) = exchange.media
    assert (fetch.number, fetch.url, fetch.request_id) == (20, "http://127.0.0.1:9/a.png", "id")
    assert (fetch.request.method, fetch.request.key) == ("GET", None)
    assert (fetch.at, fetch.planned_s, fetch.received_at) == ("2001-09-09T01:46:40.500Z", 3.25, 1e9 + 2)
    assert (fetch.response, fetch.failure) == (None, Failure("closed", "-"))


def test_an_ending_says_what_the_parent_needs() -> None:
    """It comes back as it was, with the record's line beside it; our own request id is left out."""
    pictures = (Picture(1, "aa", "png"), Picture(1, "bb"))
    record = Record(3, "a\tb", "measured", "", "POST", "u", request_id="ours", outcome="valid", images=2,
                    sent_s=1.5, pictures=pictures)  # fmt: skip
    for given_id, kept in (("ours", None), ("theirs", "theirs"), (None, None)):
        ending = Ending.of(record, given_id)
        assert ending == Ending(3, "valid", 2, 1.5, None, ("aa",), kept)
        assert parse_ending(ending.line(redacted(record, Redactor()))) == (ending, redacted(record, Redactor()))


@given(
    st.sampled_from(["sk-live-0123456789", "plainletters123", "with space/and=signs", "ünïcode-secret", "////////"]),
    st.binary(max_size=30),
    st.binary(max_size=30),
    st.sampled_from([str, str.upper, lambda text: text.replace("-", "%2D"), lambda text: text[1:], json.dumps]),
)
@settings(deadline=None, max_examples=300, database=None)
def test_a_secret_is_found_however_fast_one_looks(
    secret: str, before: bytes, after: bytes, spelt: Callable[[str], str]
) -> None:
    """The quick look for what cannot hold a secret never hides one from the patterns."""
    redactor = Redactor((secret,))
    data = before + spelt(secret).encode() + after
    assert redactor._bytes is not None
    assert redactor.data(data) == redactor._bytes.sub(b"[redacted]", data)
    line = json.dumps({"a": data.decode("latin-1")}, ensure_ascii=False).encode()
    assert redactor.may_change(line) or redactor.json(json.loads(line)) == json.loads(line)


FILLER = "x" * 20_000


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "b": "%s"}',
        b'\xef\xbb\xbf{"b": "%s"}',  # a byte order mark
        b'{"a": NaN, "b": "%s"}',
        b'{"a": 1e400, "b": "%s"}',
        b'{"b": "%s"} {}',  # something behind it
        b'{"a": 1, "a": 2, "b": "%s"}',
        b'"{%s}"',  # JSON in a string
        b'{"b": "%s',  # cut
        b'{"a": "\\ud800", "b": "%s"}',
        b'{"a": "\xff", "b": "%s"}',
        b'  {"b": "%s"}\n',
        b'\x0b{"b": "%s"}',
    ],
)
def test_a_long_text_is_read_as_a_short_one(text: bytes) -> None:
    """Whatever reads long JSON faster says the same of it."""
    short, long = parse(text % b"x"), parse(text % FILLER.encode())
    shorter = json.loads(json.dumps(long[0]).replace(FILLER, "x")) if long[0] is not None else None
    assert json.dumps(shorter) == json.dumps(short[0])
    assert (long[1] is None) == (short[1] is None)
    assert (long[1] or "").split(" at ")[0].strip("0123456789") == (short[1] or "").split(" at ")[0].strip("0123456789")


def _noise(index: int) -> bytes:
    picture = Image.frombytes("RGB", (SIDE, SIDE), Random(index).randbytes(3 * SIDE * SIDE))
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=0)
    return data.getvalue()


def _body(picture: bytes) -> bytes:
    data = [{"b64_json": base64.b64encode(picture).decode()}]
    return json.dumps({"created": int(time.time()), "data": data}).encode() + b"\n"  # which has the server close


def _sent(body: bytes, framing: str) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    if framing == "gzip":
        coder = zlib.compressobj(1, wbits=31)
        body = coder.compress(body) + coder.flush()
        head += "Content-Encoding: gzip\r\n"
    if framing == "chunked":
        half = len(body) // 2
        chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b"")]
        return (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + b"".join(chunks)
    if framing == "until the end":
        return (head + "Connection: close\r\n\r\n").encode() + body
    told = len(body) + (framing == "too short")
    return (head + f"Content-Length: {told}\r\n\r\n").encode() + body + (b"!" if framing == "too long" else b"")


def test_a_long_answer_arrives_whole_however_it_is_framed(tmp_path: Path) -> None:
    """Length, chunks, gzip or the connection's end: the picture that was sent is the one that is judged; an answer
    that is shorter or longer than it says is broken.
    """
    framings = ["length", "chunked", "gzip", "until the end", "too short", "too long"]
    pictures = {index: _noise(index) for index in range(12)}
    answers = {index: _sent(_body(pictures[index]), framings[index % 6]) for index in pictures}
    with serving(lambda index: answers[index]) as served:
        target = target_of(served.base_url, sizes=(BIG,), default_size=BIG, timeout_s=3.0)
        loaded = load_of(plan_of(target, rate_per_s=6, duration_s=2.0), target, tmp_path)
    assert len(loaded.records) == 12
    for record in loaded.records:
        index = record.number - 7
        framing = framings[index % 6]
        if framing in ("too short", "too long"):
            assert record.outcome == "broken", framing
            assert (record.failure or "").startswith("framing"), framing
            continue
        assert (record.outcome, record.size_bytes) == ("valid", len(_body(pictures[index]))), framing
        assert record.pictures[0].sha256 == hashlib.sha256(pictures[index]).hexdigest(), framing


def test_a_picture_that_comes_twice_is_told_with_its_records(tmp_path: Path) -> None:
    """Crossed or cached: two arrivals with the same picture break image.distinct, and are named."""

    pictures = {index: png(64, 48, index) for index in range(10)} | {8: (same := png(64, 48, 0)), 3: same}

    def answer(index: int) -> bytes:
        return _sent(_body(pictures[index]), "length")

    with serving(answer) as served:
        target = target_of(served.base_url)
        load_of(plan_of(target, rate_per_s=20, duration_s=0.5), target, tmp_path)
    found = [finding for finding in RunFile(tmp_path).findings() if finding.requirement == "image.distinct"]
    held = Counter(finding.held for finding in found)
    assert held == {True: 1, False: 1}
    (twice,) = (finding for finding in found if not finding.held)
    assert sorted(twice.evidence) == [10, 15]


@pytest.mark.parametrize(
    ("options", "every"),
    [
        ({"rate_per_s": 2.0}, 1),  # all of them
        ({"rate_per_s": 10.0}, 4),
        ({"rate_per_s": 10.0, "processes": 4}, 1),  # each worker has a judging process
        ({"rate_per_s": 10.0, "size": "256x256"}, 1),  # a sixteenth of the pixels
        ({"rate_per_s": 10.0, "n": 2}, 8),
        ({"rate_per_s": 300.0}, 120),
        ({"rate_per_s": 2000.0, "size": "16x16"}, 100),  # more than twenty a second say little that is new
        ({"rate_per_s": 500.0, "size": "16x16", "n": 2, "processes": 2}, 50),  # of the whole load
    ],
)
def test_as_many_pictures_are_decoded_as_a_twentieth_of_a_core_allows(options: dict[str, Any], every: int) -> None:
    """A function of the plan alone, told in the notes where it is not all of them."""
    sizes = ("1024x1024", "256x256", "16x16")
    target = Target("http://127.0.0.1:1/v1", model="m", sizes=sizes, default_size="1024x1024")
    plan = plan_load(target, duration_s=10.0, warmup_s=0.0, **options)
    assert decoded_every(plan) == every
    assert (f"one in {every} decoded" in (sampled(plan) or "")) is (every > 1)
    assert not any("decoded" in note for note in conclude(plan, ()).notes)  # where no picture came, none was
