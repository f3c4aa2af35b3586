"""Small readers: JSON in the strict sense, Retry-After, quantities, and hosts that a picture may come from."""

from __future__ import annotations

import json
import math
import time
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcard.conformance.retryafter import BadRetryAfter, Wait, retry_after_s
from testcard.core.errors import UsageError
from testcard.core.exchange import Response
from testcard.core.mediahost import refusal
from testcard.core.quantity import duration_s, human_s, size_px
from testcard.core.strictjson import parse
from testcard.core.target import Target, is_loopback

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.booleans(), st.sampled_from([None, 1]), st.sampled_from(["", " ", "\r\n\t "]))
@settings(deadline=None, max_examples=200, database=None)
def test_valid_json_is_valid(value: object, escaped: bool, indent: int | None, space: str) -> None:
    """Whatever a JSON library writes is read back without a complaint, white space around it included."""
    text = space + json.dumps(value, ensure_ascii=escaped, indent=indent) + space
    data = text.encode("utf-8", "surrogatepass") if escaped else text.encode("utf-8", "replace")
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return  # a string that looks like JSON is a complaint of its own
    parsed, problem = parse(data)
    assert problem is None
    assert parsed == json.loads(data)


@pytest.mark.parametrize(
    ("data", "value", "said"),
    [
        (b"", None, "empty"),
        (b" \r\n", None, "empty"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}, "byte order mark"),
        (b"\xef\xbb\xbf", None, "not JSON"),
        (b'{"a": NaN}', {"a": None}, "NaN"),
        (b"[-Infinity]", [None], "-Infinity"),
        (b'{"a": 1} {"b": 2}', {"a": 1}, "follow the end"),
        (b'{"a": 1}\x00', {"a": 1}, "follow the end"),
        (b'{"a": 1}\x0c', {"a": 1}, "follow the end"),  # a form feed is no JSON white space
        (b'"{\\"a\\": 1}"', '{"a": 1}', "JSON string that holds JSON"),
        (b'"a cat"', "a cat", None),
        (b'{"a": 1,}', None, "not JSON"),
        (b"{'a': 1}", None, "not JSON"),
        (b'{"a": 01}', None, "not JSON"),
        (b'{"a": "\n"}', None, "not JSON"),
        (b'{"a"', None, "not JSON"),
        (b'"\xff"', None, "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), None, "not UTF-8"),
        (b"1" * 5000, None, "longer integer"),
        (b"[" * 200_000, None, "nested"),
        (b"[" * 300 + b"]" * 300, ..., None),
        (b"<html>", None, "not JSON"),
    ],
    ids=range(22),
)
def test_what_a_lenient_reader_forgives_is_named(data: bytes, value: object, said: str | None) -> None:
    """The value as far as it goes, and what is wrong by RFC 8259; never an exception."""
    parsed, problem = parse(data)
    assert problem is None if said is None else said in str(problem)
    assert value is ... or parsed == value


def _answer(retry_after: str | None, date: str | None = None) -> Response:
    lines = [(name, value) for name, value in (("Retry-After", retry_after), ("Date", date)) if value is not None]
    return Response(429, tuple(lines), b"")


DATE = "Sun, 22 Nov 2026 15:12:00 GMT"


@pytest.mark.parametrize(
    ("raw", "date", "wait"),
    [
        ("7", DATE, Wait(7.0, by_date=False)),
        (" 0 ", None, Wait(0.0, by_date=False)),
        ("Sun, 22 Nov 2026 15:12:05 GMT", DATE, Wait(5.0, by_date=True)),
        ("Sun, 22 Nov 2026 15:11:50 GMT", DATE, Wait(-10.0, by_date=True)),
    ],
)
def test_retry_after_is_read(raw: str, date: str | None, wait: Wait) -> None:
    """Whole seconds, or a date that counts from the answer's own Date."""
    assert retry_after_s(_answer(raw, date)) == wait


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_date_without_a_readable_date_counts_from_our_clock(date: str | None) -> None:
    """An answer whose Date is missing or broken is not accused of a broken Retry-After."""
    wait = retry_after_s(_answer(formatdate(time.time() + 60, usegmt=True), date))
    assert wait.by_date
    assert 30 < wait.seconds <= 61


@pytest.mark.parametrize(
    "raw",
    [None, "", "7.5", "-1", "+7", "7s", "soon", "\u0667", "1e3", "2026-11-22T15:12:00Z",
     "Sunday, 22-Nov-26 15:12:00 GMT",
     "Sun, 22 Nov 2026 15:12:00 +0000", "Sun, 99 Nov 2026 15:12:00 GMT", "Sun, 22 Abc 2026 15:12:00 GMT"],
)  # fmt: skip
def test_a_retry_after_of_another_form_is_named(raw: str | None) -> None:
    """Fractions, signs, words, other digits, other dates: none is RFC 9110, section 10.2.3."""
    with pytest.raises(BadRetryAfter, match="Retry-After"):
        retry_after_s(_answer(raw, DATE))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("200ms", 0.2),
        ("1.5m", 90),
        ("2min", 120),
        ("1h", 3600),
        ("7", 7),
        (" 5 s ", 5),
        ("0s", 0),
        ("30d", 2_592_000),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    """Numbers with ms, s, m, min, h, d; without a unit seconds."""
    assert math.isclose(duration_s(text), seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1w", "1e3s", "nan", "inf", "1 2s", "30 seconds"])
def test_other_durations_are_one_sentence(text: str) -> None:
    """What is no duration says how one is written."""
    with pytest.raises(UsageError, match="is not a duration: write 30s"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024x768", (1024, 768)), ("1x1", (1, 1)), ("99999x1", (99999, 1)), ("0x5", None), ("05x5", None),
     ("1024", None), ("x", None), ("1024X768", None), ("1024x768 ", None), ("100000x1", None), ("auto", None),
     ("\u0661x\u0662", None)],
)  # fmt: skip
def test_sizes_are_read(text: str, size: tuple[int, int] | None) -> None:
    """WIDTHxHEIGHT in plain digits, and nothing else."""
    assert size_px(text) == size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 ms"), (0.182, "182 ms"), (0.9994, "999 ms"), (0.9996, "1 s"), (1.44, "1.44 s"), (119, "119 s"),
     (360, "6 min")],
)  # fmt: skip
def test_spans_are_said_as_people_read_them(seconds: float, said: str) -> None:
    """Milliseconds, seconds, minutes; never 1000 ms."""
    assert human_s(seconds) == said


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_this_machine(host: str) -> None:
    """Names and addresses that can only be this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "127.0.0.1.example", "0.0.0.0", "10.0.0.1", "::2", ""])  # noqa: S104
def test_nothing_else_is_loopback(host: str) -> None:
    """Names that only look like it, and other addresses."""
    assert not is_loopback(host)


API = Target("https://api.example.com/v1", media_hosts=("127.0.0.7:8001", "127.0.0.8", "[::1]:9"))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.7:8001/x.png",
        "http://127.0.0.8:1/x.png",
        "https://127.0.0.8/x.png",
        "http://[::1]:9/x.png",
        "https://API.example.com:444/x.png",
        "https://1.1.1.1/x.png",
        "https://[2606:4700:4700::1111]/x.png",
    ],
)
def test_pictures_come_from_declared_hosts_the_api_s_own_and_public_ones(url: str) -> None:
    """Without a port a declared host stands for any port."""
    assert refusal(url, API) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.7:8002/x", "private address"),  # declared, but on another port
        ("http://127.0.0.1/x", "private address"),
        ("http://10.1.2.3/x", "private address"),
        ("http://172.16.0.1/x", "private address"),
        ("http://192.168.1.1/x", "private address"),
        ("http://100.64.0.1/x", "private address"),
        ("http://169.254.169.254/latest/meta-data/", "private address"),
        ("http://0.0.0.0/x", "private address"),
        ("http://2130706433/x", "private address"),  # 127.0.0.1 as one number
        ("http://127.1/x", "private address"),
        ("http://[::1]:10/x", "private address"),
        ("http://[fe80::1]/x", "private address"),
        ("http://[fc00::1]/x", "private address"),
        ("http://[::ffff:127.0.0.1]/x", "private address"),
        ("http://[::ffff:169.254.169.254]/x", "private address"),
        ("http://localhost/x", "private address"),
        ("http://user:pw@1.1.1.1/x", "credentials"),
        ("http://user@127.0.0.8/x", "credentials"),
        ("file:///etc/passwd", "absolute http"),
        ("ftp://1.1.1.1/x", "absolute http"),
        ("//1.1.1.1/x", "absolute http"),
        ("/x.png", "absolute http"),
        ("x.png", "absolute http"),
        ("http://", "absolute http"),
        ("data:image/png;base64,AA==", "absolute http"),
        ("http://[::1/x", "not a URL"),
        ("http://1.1.1.1:99999/x", "not a URL"),
        ("http://" + "a" * 300 + "/x", "does not resolve"),
        ("http://a..b/x", "does not resolve"),
    ],
)
def test_no_picture_comes_from_a_private_address(url: str, why: str) -> None:
    """An answer names the URL, so it could name the machine's own network: it is not asked, and the reason is said."""
    assert why in str(refusal(url, API))


def test_a_broken_declaration_matches_nothing() -> None:
    """A media host that cannot be read breaks no run."""
    assert refusal("http://127.0.0.1/x", Target("https://h/v1", media_hosts=("[::1", "h:port"))) is not None
