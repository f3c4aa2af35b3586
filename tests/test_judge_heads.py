"""What a judge says of the head of an answer, of two waits in it, and of addresses in an error."""

from __future__ import annotations

import dataclasses
import json

import pytest

from answered import ABROAD, DATE, ID, LIMITED, MOCK, NOW, TOO_MANY, Row, asked, error, good, judged
from testcard.conformance import Contract, judge
from testcard.core.exchange import Exchange, Failure, Request, Response

PUBLIC = dataclasses.replace(MOCK, base_url="https://api.example.com/v1", media_hosts=())
WITHIN = dataclasses.replace(MOCK, base_url="http://192.168.7.4:8000/v1")
REFUSED = asked(violations=(TOO_MANY,))
ADDRESSES = "error.no-addresses"

# What a connector, a proxy or a resolver says of whom it could not reach.
INSIDE = (
    "connect ECONNREFUSED 10.0.3.7:5432",
    "upstream 192.168.1.20 timed out.",
    "dial tcp 169.254.169.254:80: i/o timeout",
    "dial tcp [fd12:3456:789a::7]:8000: connection refused",
    "no route to fe80::1ff:fe23:4567:890a",
    "HTTPConnectionPool(host='172.20.0.5', port=8188): Max retries exceeded",
    "Cannot reach http://render-2:8188/prompt",
    "Cannot reach http://10.1.2.3/prompt",
    "getaddrinfo ENOTFOUND render.models.svc.cluster.local",
    "ip-10-0-3-7.ec2.internal said no",
    "queue.internal:6379 is busy",
    "could not connect to server on 127.0.0.1, port 5432",
    "upstream_addr=10.0.3.7",
    "10.0.3.7:8188 likes no n",
)
# What only looks like it.
OUTSIDE = (
    "n is at most 10",
    "server version 10.0.3.7 does not know n",
    "v10.1.2.3",
    "10.0.0.0/8 is no size",
    "see https://docs.example.com:8443/errors/internal",
    "errors.internal",
    "settings.local is not set",
    "203.0.113.9 is blocked",
    "999.10.0.1",
    "1.10.0.0.1.2",
    "prompt: such as https://host:port/path",
    "the ratio is fd00:1",
    "api.example.com:443 is overloaded",
    "openai>=10.2.1.0 is needed to connect",
    "please upgrade the SDK to 10.2.1.0 or later",
    "driver 10.2.1.0 does not know bf16",
    "see section 10.2.1.3.",
    "your address 192.168.1.7 is not on the list",
    "an image must not lie on a host of a private network, such as 10.0.0.1 or 127.0.0.1",
    "e.g. http://renderer:8188/cat.png",
    "a URL has the form http://host:8000/path",
)


@pytest.mark.parametrize("message", INSIDE)
def test_an_address_inside_is_found(message: str) -> None:
    """An error that names a private address, or a host of a network of the server's own, shows it."""
    text = json.dumps(error(message=message)).encode()
    for body in (text, text.replace(b"/", b"\\/")):  # as PHP writes it
        row = Row(body, 400, request=REFUSED, target=PUBLIC)
        assert ADDRESSES in {finding.requirement for finding in judged(row).broken}


@pytest.mark.parametrize("message", OUTSIDE)
def test_what_only_looks_like_one_is_none(message: str) -> None:
    """A version, a range, a code or a public host is nobody's secret."""
    row = Row(error(message=message), 400, request=REFUSED, target=PUBLIC)
    assert ADDRESSES in judged(row).held


@pytest.mark.parametrize(
    "part", ["10.0.3.7:5432", "http://render-2:8188/cat", "127.0.0.1 upstream", "db.svc.cluster.local"]
)
def test_what_the_client_wrote_itself_is_no_leak(part: str) -> None:
    """A refusal may repeat the prompt, whatever addresses stand in it."""
    request = dataclasses.replace(REFUSED, body=json.dumps({"prompt": f"a sign that says {part}", "n": 11}).encode())
    row = Row(error(message=f"No n = 11 of 'a sign that says {part}'"), 400, request=request, target=PUBLIC)
    assert ADDRESSES in judged(row).held


def test_who_is_inside_may_name_its_neighbours() -> None:
    """Nothing is said of a target inside a network, nor of loopback's own address on loopback."""
    row = Row(error(message="connect ECONNREFUSED 192.168.7.5:80"), 400, request=REFUSED, target=WITHIN)
    assert not {f.requirement for f in judged(row).broken} & {ADDRESSES}
    assert ADDRESSES not in judged(row).held
    here = Row(error(message="127.0.0.1:9 is taken"), 400, request=REFUSED)
    assert ADDRESSES in judged(here).held


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "held"),
    [
        ("6500", "7", True),  # rounded up
        ("236", "1", True),  # as OpenAI has it: no shorter than one
        ("7000", "7", True),
        ("7e3", "7", True),  # a float to both SDKs
        ("70", "7", False),  # one of them counts otherwise
        ("700000", "7", False),
        ("soon", "7", False),
        ("nan", "7", False),
        ("-1", "7", False),
        ("7000", "soon", None),  # of this one another requirement speaks
        ("7000", None, None),
        (None, "7", None),
    ],
)
def test_two_waits_are_compared(milliseconds: str | None, seconds: str | None, held: bool | None) -> None:
    """retry-after-ms names the wait of Retry-After, but for what rounding takes or adds; alone it says nothing."""
    said = {"retry-after-ms": milliseconds, "Retry-After": seconds}
    found = judged(Row(**LIMITED, headers=said))  # type: ignore[arg-type]  # the fields of Row
    name = "error.retry-after-ms"
    broken = name in {finding.requirement for finding in found.broken}
    assert (name in found.held, broken) == (held is True, held is False)


@pytest.mark.parametrize(("date", "held"), [(DATE, True), (None, False)])
def test_a_date_is_a_wait_where_the_server_tells_its_time(date: str | None, *, held: bool) -> None:
    """Retry-After as a date of an hour ago names no wait without a Date beside it: that clock may be another."""
    said = {"retry-after-ms": "400", "Retry-After": DATE, "Date": date}
    found = judged(Row(**LIMITED, headers=said))  # type: ignore[arg-type]  # the fields of Row
    name = "error.retry-after-ms"
    assert (name in found.held) == held
    assert name not in {finding.requirement for finding in found.broken}


def _head(headers: tuple[tuple[str, str], ...], bare_lf: bool | None = None) -> Exchange:
    exchange = Row(good()).exchange()
    assert exchange.response is not None
    response = Response(200, (*exchange.response.headers, *headers), exchange.response.body)
    return dataclasses.replace(exchange, response=response, bare_lf=bare_lf)


@pytest.mark.parametrize(
    ("headers", "held"),
    [
        ((), True),
        ((("date", DATE),), False),  # in other letters the same name
        ((("Content-Type", "application/json"),), False),
        ((("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")), True),  # the known exception
        ((("Vary", "Origin"), ("Vary", "Accept")), True),  # a list
        ((("X-Cache", "a"), ("X-Cache", "b")), True),  # nobody knows what it is
    ],
)
def test_a_field_of_one_value_comes_once(headers: tuple[tuple[str, str], ...], held: bool) -> None:
    """Two Date lines are one too many; lists and cookies may come in several."""
    found = judge(_head(headers), Contract.of(MOCK))
    assert ("transport.single-fields" in found.held) == held


@pytest.mark.parametrize(
    ("bare_lf", "held", "broken"), [(False, True, False), (True, False, True), (None, False, False)]
)
def test_line_ends_are_judged_where_somebody_looked(bare_lf: bool | None, held: bool, broken: bool) -> None:
    """LF alone breaks the head; a client that does not look at the bytes says nothing."""
    found = judge(_head((), bare_lf), Contract.of(MOCK))
    name = "transport.line-ends"
    assert (name in found.held, name in {finding.requirement for finding in found.broken}) == (held, broken)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, True),
        (405, True),
        (404, True),
        (401, True),
        (501, True),
        (500, False),
        (502, False),
        (503, None),
        (429, None),
    ],
)
def test_head_may_be_refused(status: int, said: bool | None) -> None:
    """HEAD may be unknown to a server, but is no reason to err; nothing else is asked of an answer without a body."""
    request = Request("HEAD", method="HEAD", path="/models", judges=("transport.head",))
    response = Response(status, (("Content-Type", "text/html"), ("Content-Encoding", "gzip")), b"")
    failure = Failure("framing", "the body is no gzip")
    exchange = Exchange(request, 1, "u", ID, (), "now", 0.0, 0.0, response=response, failure=failure, attempt=5)
    found = judge(dataclasses.replace(exchange, received_at=NOW), Contract.of(ABROAD))
    names = {finding.requirement for finding in found.broken}
    assert (set(found.held), names) == (
        {"transport.head"} if said else set(),
        {"transport.head"} if said is False else set(),
    )
