"""What a check asks: bodies derived from the schema, each once, and again only what may be transient."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripted import Received, Scripted, reply, scripted
from testcard import schemas
from testcard.conformance import CheckOptions, Contract, case
from testcard.conformance.case import Asker
from testcard.conformance.derive import ABSENT, combinations, violations
from testcard.conformance.opening import open_session
from testcard.conformance.options import selected
from testcard.conformance.session import Session
from testcard.conformance.suite import planned_requests, suite
from testcard.core.budget import Budget
from testcard.core.errors import BudgetExhausted, NotJudged, UsageError
from testcard.core.exchange import Request
from testcard.core.target import Keyring, Target
from testcard.core.targetfile import profile_target

MOCK = profile_target("mock")
BARE = Target("http://127.0.0.1:1/v1")
NARROW = replace(MOCK, max_n=1, response_formats=("b64_json",), default_response_format="b64_json", sizes=("64x64",))
TARGETS = {"bare": BARE, "narrow": NARROW, "no model": replace(MOCK, model=None)}
TARGETS |= {name: profile_target(name) for name in schemas.profiles()}


IDENTITY = tuple(name for name in schemas.requirements() if name.startswith("identity."))


def errors(target: Target, body: object) -> list[str]:
    """What jsonschema has against a body."""
    validator = jsonschema.Draft202012Validator(Contract.of(target).request_schema)
    return [error.message for error in validator.iter_errors(body)]


@pytest.mark.parametrize("name", TARGETS)
def test_every_derived_value_breaks_the_schema(name: str) -> None:
    """Put into a good body, each breaks exactly the field that it says, and nothing before it did."""
    target = TARGETS[name]
    base = Asker(Contract.of(target)).body("a refusal")
    assert errors(target, base) == []
    found = list(violations(Contract.of(target)))
    for violation, value in found:
        body = {key: kept for key, kept in base.items() if key != violation.field}
        if value is not ABSENT:
            body[violation.field] = value
        assert errors(target, body), violation.sentence()
        assert violation.requirement in schemas.requirements()
    assert len({violation.sentence() for violation, _ in found}) == len(found)


def test_every_keyword_of_every_field_is_derived() -> None:
    """Whatever the schema forbids about a documented field, some body tries: a new keyword cannot be forgotten."""
    contract = Contract.of(MOCK)
    tried = {(violation.field, violation.keyword) for violation, _ in violations(contract)}
    says_nothing = {"description", "default"}
    of_the_schema = {
        (name, keyword)
        for name, field in contract.request_schema["properties"].items()
        if name != "user"
        for keyword in field.keys() - says_nothing
    }
    assert of_the_schema | {("prompt", "required")} == tried


@pytest.mark.parametrize("name", TARGETS)
def test_a_good_request_keeps_the_schema_and_a_bad_one_does_not(name: str) -> None:
    """Of everything that a check would send: violations and schema agree, and images are counted as they are asked."""
    target = TARGETS[name]
    session = Session(target, Keyring(target, {}), CheckOptions(thorough=True))
    try:
        requests = planned_requests(session, tuple(schemas.requirements()))
    finally:
        session.close()
    for request in requests:
        if not request.to_generate or not request.credentialed or request.key == "empty_wallet":
            continue
        try:
            body = json.loads(request.body or b"")
        except (ValueError, RecursionError):
            assert request.violations
            continue
        about_the_model = {violation.keyword for violation in request.violations} == {"one of"}
        assert bool(errors(target, body)) == (bool(request.violations) and not about_the_model), request.case
        assert request.images == (0 if request.violations else body.get("n") or 1)


@given(st.data())
@settings(deadline=None, max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_combinations_break_what_they_say(data: st.DataObject) -> None:
    """Each violation is about another field, and the schema has something against each of them, and nothing else."""
    contract = Contract.of(MOCK)
    body, broken = data.draw(combinations(contract, Asker(contract).body("a refusal")))
    fields = [violation.field for violation in broken]
    assert fields
    assert len(set(fields)) == len(fields)
    validator = jsonschema.Draft202012Validator(contract.request_schema)
    accused = {str(error.path[0]) if error.path else "prompt" for error in validator.iter_errors(body)}
    assert accused == set(fields)


def test_combinations_are_chosen_by_the_seed() -> None:
    """One seed, one choice; another seed, another one; no body twice."""
    first = [request.body for request in case.combined(Asker(Contract.of(MOCK), 1))]
    assert first == [request.body for request in case.combined(Asker(Contract.of(MOCK), 1))]
    assert first != [request.body for request in case.combined(Asker(Contract.of(MOCK), 2))]
    assert len(set(first)) == len(first) > 5


def planned(target: Target, seed: int = 1, *, thorough: bool = False) -> list[Request]:
    session = Session(target, Keyring(target, {}), CheckOptions(seed=seed, thorough=thorough))
    try:
        return planned_requests(session, tuple(schemas.requirements()))
    finally:
        session.close()


def test_prompts_differ_wherever_a_picture_is_asked_for() -> None:
    """No cache and no duplicate hides behind equal prompts: not within a check, not from seed to seed."""
    first, second = planned(MOCK, 1), planned(MOCK, 2)
    prompts = [str(request.fields["prompt"]) for request in first if request.images and request.fields["prompt"]]
    assert len(set(prompts)) == len(prompts)
    assert not set(prompts) & {str(request.fields["prompt"]) for request in second if request.images} - {""}


def test_the_same_seed_asks_the_same() -> None:
    """Two checks with one seed send the same bodies in the same order."""
    assert [r.body for r in planned(MOCK)] == [r.body for r in planned(MOCK)]


def test_a_check_stays_within_its_promise() -> None:
    """At most 12 images and 175 requests; every declared size and the largest n only with --thorough."""
    usual, thorough = planned(MOCK), planned(MOCK, thorough=True)
    assert sum(request.images for request in usual if request.key == "main") <= 12
    assert len(usual) <= 175
    assert {r.fields.get("size") for r in thorough if r.images} >= set(MOCK.sizes)
    assert max(r.images for r in thorough) == MOCK.max_n > max(r.images for r in usual)


def test_every_requirement_is_asked_for_by_a_test() -> None:
    """The suite is the catalogue, in its order."""
    assert list(suite()) == list(schemas.requirements())


@pytest.mark.parametrize(
    ("only", "chosen"),
    [((), tuple(schemas.requirements())), (("limit.per-key", "identity"), ("limit.per-key", *IDENTITY))],
)
def test_areas_and_ids_select(only: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    """In the order of the catalogue; nothing selected is everything."""
    assert selected(only) == chosen


def test_a_wrong_selection_is_one_sentence() -> None:
    """It names what was meant."""
    with pytest.raises(UsageError, match=r"did you mean auth\.challenge"):
        selected(("auth.chalenge",))
    with pytest.raises(UsageError, match="areas: transport, auth"):
        selected(("zzz",))


# The session, on a server that does what a test says.

GOOD = {"created": 1, "data": [{"b64_json": "x"}]}


@contextmanager
def session(answer: Callable[[Received], bytes], **options: Any) -> Iterator[tuple[Session, Scripted]]:
    with scripted(answer) as server:
        target = replace(MOCK, base_url=server.base_url, limit=None, limited=None, timeout_s=10.0)
        made = Session(target, Keyring(target, {}), CheckOptions(), **options)
        try:
            yield made, server
        finally:
            made.close()


def ask(made: Session, number: int = 1, **changes: Any) -> Request:
    return replace(made.asker.good(f"case {number}", "generate.full", made.asker.body(f"{number}")), **changes)


def refused(made: Session, number: int) -> Request:
    violation = next(v for v, _ in violations(made.contract))
    return made.asker.bad(f"refusal {number}", {"model": str(number)}, violation)


def test_the_same_request_is_sent_once() -> None:
    """Whoever asks, and from however many threads: the answer comes from the record."""
    with session(lambda _: reply(200, GOOD)) as (made, server):
        request = ask(made)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(made.send(request).number)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made.send(replace(request, case="by another name"))
        assert answers == [1] * 8
        assert len(server.received) == 1


def test_what_every_requirement_needs_is_asked_for_once() -> None:
    """Three families with the same requests cost them once."""
    with session(lambda _: reply(200, GOOD)) as (made, server):
        shared, own = ask(made, 1), ask(made, 2)
        made.prepare([("a", lambda _: [shared]), ("b", lambda _: [shared, own]), ("c", lambda _: [own])])
        for name in "abc":
            made.crew.wait_for(name)
        assert made.planned == 2
        assert len(server.received) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_transient_error_is_asked_again_at_most_twice(status: int) -> None:
    """A good request three times in all; then it is not judged, and says so."""
    with session(lambda _: reply(status, {}, ("Retry-After", "0"))) as (made, server):
        made.prepare([("generate.full", lambda _: [ask(made)])])
        made.crew.wait_for("generate.full")
        assert len(server.received) == 3
        result = made.tally.result("generate.full")
    assert result.outcome == "not-judged"
    assert f"3 times with {status}" in str(result.reason)


def test_what_comes_good_is_judged() -> None:
    """A single 503 is forgiven; the picture that follows counts."""
    answers = iter([reply(503, {}), reply(200, GOOD)])
    with session(lambda _: next(answers)) as (made, _):
        exchange = made.send(ask(made))
    assert (exchange.status, exchange.attempt) == (200, 2)


@pytest.mark.parametrize("status", [200, 400, 401, 402, 404])
def test_a_lasting_answer_is_not_asked_again(status: int) -> None:
    """What a repetition would not change is sent once."""
    with session(lambda _: reply(status, {})) as (made, server):
        made.send(ask(made))
        assert len(server.received) == 1


def test_retry_after_is_kept() -> None:
    """The repetition comes no sooner than the server asked."""
    answers = iter([reply(429, {}, ("Retry-After", "1")), reply(200, GOOD)])
    with session(lambda _: next(answers)) as (made, _):
        last = made.send(ask(made))
    assert last.attempt == 2
    assert last.sent_s >= 1.0


@pytest.mark.parametrize("status", [429, 503])
def test_who_has_no_room_is_asked_alone_in_the_end(status: int) -> None:
    """A server that takes one request at a time is never so busy with our own that it cannot answer one of them."""
    under_way = threading.Semaphore(1)

    def one_at_a_time(request: Received) -> bytes:
        if not under_way.acquire(blocking=False):
            return reply(status, {"error": {"message": "Busy.", "type": "x"}})
        try:
            threading.Event().wait(0.3 if b"a long one" in request.body else 0.0)
            return reply(400, {"error": {"message": "No.", "type": "x"}})
        finally:
            under_way.release()

    with session(one_at_a_time) as (made, _):
        asked_enough = threading.Event()

        def keep_busy(number: int) -> None:
            while not asked_enough.is_set():
                made.send_once(made.asker.bad(f"{number}", {"prompt": "a long one"}), 1)

        others = [threading.Thread(target=keep_busy, args=(number,)) for number in range(3)]
        for thread in others:
            thread.start()
        exchanges = [refused(made, number) for number in range(2)]
        found = [made.send(request).status for request in exchanges]
        asked_enough.set()
        for thread in others:
            thread.join()
    assert found == [400, 400]


def test_a_family_stops_at_its_first_unexpected_picture() -> None:
    """A server that accepts what it must refuse bills each: one is enough to know."""
    with session(lambda _: reply(200, GOOD)) as (made, server):
        made.prepare([("x", lambda _: [refused(made, number) for number in range(5)])])
        made.crew.wait_for("x")
        assert len(server.received) == 1
    with session(lambda _: reply(400, {"error": {"message": "m", "type": "t"}})) as (made, server):
        made.prepare([("x", lambda _: [refused(made, number) for number in range(5)])])
        made.crew.wait_for("x")
        assert len(server.received) == 5


def test_the_budget_ends_a_check() -> None:
    """No request is sent that could bill too much, and the session says why it stopped."""
    with session(lambda _: reply(200, GOOD), budget=Budget(2)) as (made, server):
        made.prepare([(str(number), lambda _, n=number: [ask(made, n)]) for number in range(6)])  # type: ignore[misc]  # n is bound early
        for number in range(6):
            made.crew.wait_for(str(number))
        assert len(server.received) == 2
        assert isinstance(made.fatal, BudgetExhausted)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(401, {"error": {"message": "bad key", "type": "x"}}), "bad key"),
        (reply(402, {}), "wallet"),
        (reply(404, {}), "check --base-url"),
        (reply(200, {}), "all got the same answer"),
        (reply(200, b"<html>", ("Content-Type", "text/html")), "all got the same answer"),
        (reply(302, b"", ("Location", "http://127.0.0.1:1/")), "no request with a good key got a 2xx"),
    ],
    ids=range(6),
)
def test_a_server_that_answers_all_alike_is_not_judged(answer: bytes, said: str) -> None:
    """One sentence with the next step, after a handful of requests."""
    with session(lambda _: answer) as (made, server):
        with pytest.raises(NotJudged, match=said):
            open_session(made)
        assert len(server.received) <= 6
        assert len(made.redactor.text(said)) < 300


def test_good_answers_open_a_check() -> None:
    """One good request, one without a key, one malformed; then everything else may be asked."""

    def answer(request: Received) -> bytes:
        if request.header("authorization") is None:
            return reply(401, {"error": {}})
        return reply(200, GOOD) if request.body.endswith(b"}") else reply(400, {"error": {}})

    with session(answer) as (made, server):
        open_session(made)
    assert Counter(request.header("authorization") is None for request in server.received) == {False: 2, True: 1}


def test_a_crash_in_a_thread_reaches_whoever_waits() -> None:
    """An error of ours is an error of ours, never a requirement left unjudged."""

    def broken(_: Asker) -> list[Request]:
        return [replace(ask(made), headers=((5, "x"),))]  # type: ignore[arg-type]  # on purpose: it cannot be sent

    with session(lambda _: reply(200, GOOD)) as (made, _):
        made.prepare([("x", broken)])
        with pytest.raises(AttributeError):
            made.crew.wait_for("x")
