"""Crowds on a virtual clock: the policies are the clients' own, and the figures are what was worked out by hand."""

from __future__ import annotations

from collections import Counter
from email.utils import formatdate
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcard.core.errors import UsageError
from testcard.core.record import Record
from testcard.core.target import Limit
from testcard.load.crowd import Attempt, CrowdRecords, Reply, figures, policies, policy, simulate
from testcard.load.crowd.plan import CrowdPlan
from testcard.mock_server.limiter import KINDS, Shape, limiter

NOW = 1_700_000_000.0


class Half(Random):
    """Dice that always show one half."""

    def random(self) -> float:
        return 0.5


def wait(name: str, status: int | None = 429, taken: int = 0, **headers: str) -> float | None:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return policy(name).wait_s(Reply(status, named), taken, dice=Half(), now=NOW)


# Policy, what it meets, and the wait: None is giving up, or being content.
ROWS: list[tuple[str, dict[str, Any], float | None]] = [
    ("openai-python", {"retry_after": "7"}, 7.0),
    ("openai-python", {"retry_after": "0.25"}, 0.25),  # read as a float, whatever the RFC says
    ("openai-python", {"retry_after": "120"}, 120.0),
    ("openai-python", {"retry_after": "121"}, None),  # not retried at all
    ("openai-python", {"retry_after": "121", "x_should_retry": "true"}, None),  # which is decided first
    ("openai-python", {"retry_after": "0"}, 0.4375),  # backoff of 0.5 s, shortened by half of a quarter
    ("openai-python", {"retry_after": "-3", "taken": 1}, 0.875),
    ("openai-python", {"retry_after": "soon"}, 0.4375),
    ("openai-python", {"retry_after": formatdate(NOW + 9, usegmt=True)}, 9.0),
    ("openai-python", {"retry_after": formatdate(NOW - 9, usegmt=True)}, 0.4375),
    ("openai-python", {"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
    ("openai-python", {"retry_after": "7", "x_should_retry": "false"}, None),
    ("openai-python", {"retry_after": "7", "taken": 2}, None),  # two retries, no third
    ("openai-python", {"status": None}, 0.4375),  # the connection broke
    ("openai-python", {"status": 503, "retry_after": "3"}, 3.0),
    ("openai-python", {"status": 400}, None),
    ("openai-python", {"status": 400, "x_should_retry": "true"}, 0.4375),
    ("openai-python", {"status": 200}, None),
    ("openai-python-2.51", {"retry_after": "60"}, 60.0),
    ("openai-python-2.51", {"retry_after": "61"}, 0.4375),  # a longer wait counts as none
    ("openai-node", {"retry_after": "60"}, 60.0),
    ("openai-node", {"retry_after": "61"}, 0.4375),
    ("openai-node", {"retry_after": "0"}, 0.0),  # obeyed
    ("openai-node", {"retry_after": "-1"}, 0.4375),
    ("openai-node", {"retry_after": "7s"}, 7.0),  # parseFloat reads what it can
    ("openai-python", {"retry_after": "7s"}, 0.4375),  # float() does not
    ("naive-at-once", {"retry_after": "7"}, 0.0),
    ("naive-at-once", {"retry_after": "700"}, 0.0),
    ("naive-fixed", {"retry_after": "7", "taken": 9}, 1.0),
    ("naive-fixed", {"retry_after": "7", "taken": 10}, None),
    ("well-behaved", {"retry_after": "40"}, 50.0),  # and a half of its half
    ("well-behaved", {"retry_after": "601"}, None),
    ("well-behaved", {"taken": 3}, 4.0),  # a half of 8 s
]


@pytest.mark.parametrize(("name", "met", "seconds"), ROWS)
def test_a_policy_waits_as_its_source_says(name: str, met: dict[str, Any], seconds: float | None) -> None:
    """Each rule of each client, at and beyond its bounds."""
    assert wait(name, **met) == (None if seconds is None else pytest.approx(seconds))


HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-should-retry"]),
    st.one_of(
        st.integers(-5, 130_000).map(str),
        st.floats(-5, 130, allow_nan=False).map(str),
        st.sampled_from(["true", "false", "", "soon", "7s", "nan", "inf", "120", "121", "0", "1e2", " 7 "]),
    ),
)


@cache
def official() -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9/v1")


@settings(deadline=None)
@given(HEADERS, st.sampled_from([200, 400, 404, 408, 409, 429, 500, 503]), st.integers(0, 2))
def test_the_policy_of_openai_python_is_that_of_the_package(headers: dict[str, str], status: int, taken: int) -> None:
    """Whatever the headers, openai-python itself decides and waits as our row says, its own dice apart."""
    client = official()
    recent = tuple(map(int, openai.__version__.split(".")[:2])) >= (2, 52)
    row = policy("openai-python" if recent else "openai-python-2.51")
    # Its annotations name whichever HTTP library it was built on; it only looks headers up.
    answer: Any = SimpleNamespace(status_code=status, headers=httpx.Headers(headers))
    options: Any = SimpleNamespace(get_max_retries=lambda most: most)
    remaining = client.max_retries - taken
    again = status >= 400 and remaining > 0 and client._should_retry(answer)
    low, high = (row.wait_s(Reply(status, headers), taken, dice=dice, now=NOW) for dice in (Always(1.0), Always(0.0)))
    assert (low is not None) == again
    if low is not None and high is not None:
        theirs = client._calculate_retry_timeout(remaining, options, answer.headers)
        assert low - 1e-9 <= theirs <= high + 1e-9


class Always(Half):
    """Dice that always show the same."""

    def __init__(self, shown: float) -> None:
        super().__init__()
        self.shown = shown

    def random(self) -> float:
        return self.shown


def test_every_policy_has_its_source() -> None:
    """Names are unique, every row says where it comes from, and a near miss is hinted at."""
    assert len(policies()) >= 6
    assert all(row.source and row.statement.endswith(".") for row in policies().values())
    with pytest.raises(UsageError, match="did you mean openai-node"):
        policy("openai-nod")


# Limiter, policy, clients; and who succeeds, attempts, the herd. Ten a minute, all asked within 2 s.
CROWDS = [
    # Ten at once, ten after the window.
    ("fixed-first", "openai-python", 20, 20, 30, 10),
    # Ten in each of three windows: 40 + 30 + 20 attempts.
    ("fixed-first", "openai-python", 40, 30, 90, 30),
    ("fixed-first", "openai-python", 60, 30, 150, 50),
    # A bucket promises its next token to all alike: one more each time.
    ("token-bucket", "openai-python", 60, 12, 60 + 50 + 49, 50),
    # Who asks at once finds nothing new: 20 fail three times.
    ("sliding-log", "naive-at-once", 30, 10, 30 + 20 + 20, 40),
]


@pytest.mark.parametrize(("kind", "name", "clients", "succeeded", "attempts", "least_peak"), CROWDS)
def test_a_crowd_ends_as_worked_out_by_hand(
    kind: str, name: str, clients: int, succeeded: int, attempts: int, least_peak: int
) -> None:
    """Known crowds against known limiters: who is served, with how many requests, and how many come back together."""
    told = simulate(policy(name), limiter(Limit(10, 60), Shape(kind)), clients=clients, span_s=2.0)
    found = figures(policy(name), clients, 2.0, told)
    assert (found.succeeded, found.attempts) == (succeeded, attempts)
    assert least_peak * 0.5 <= found.peak_retries_per_s <= least_peak
    assert found.failed == clients - succeeded
    assert found.admitted + found.limited == found.attempts
    assert (found.all_served_s is None) == bool(found.failed)


def test_jitter_disperses_the_herd() -> None:
    """The well-behaved are all served, with a smaller herd than the SDK's clients, who all come back together."""
    herds = {}
    for name in ("openai-python", "well-behaved"):
        told = simulate(policy(name), limiter(Limit(10, 60), Shape("fixed-first")), clients=60, span_s=2.0)
        herds[name] = figures(policy(name), 60, 2.0, told)
    assert herds["well-behaved"].failed == 0
    assert herds["well-behaved"].peak_retries_per_s < herds["openai-python"].peak_retries_per_s / 3


@settings(deadline=None)
@given(
    st.sampled_from(sorted(policies())), st.sampled_from(sorted(KINDS)), st.integers(1, 40), st.integers(1, 12),
    st.integers(0, 5),
)  # fmt: skip
def test_every_client_is_accounted_for(name: str, kind: str, clients: int, requests: int, seed: int) -> None:
    """Attempts are numbered without a gap, end with a success or as the policy allows; one seed, one crowd."""
    row = policy(name)

    def crowd() -> list[Attempt]:
        found = limiter(Limit(requests, 12), Shape(kind))
        return simulate(row, found, clients=clients, span_s=1.0, seed=seed, service_s=lambda dice: dice.random())

    told = crowd()
    assert told == crowd()
    by_client: dict[int, list[Attempt]] = {}
    for attempt in told:
        by_client.setdefault(attempt.client, []).append(attempt)
    assert sorted(by_client) == list(range(clients))
    for own in by_client.values():
        assert [attempt.number for attempt in own] == list(range(1, len(own) + 1))
        assert all(not attempt.content for attempt in own[:-1])
        assert own[-1].content or len(own) == row.retries + 1
    found = figures(row, clients, 1.0, told)
    assert found.succeeded + found.failed == clients
    assert Counter(attempt.outcome for attempt in told) == +Counter(valid=found.admitted, limited=found.limited)
    assert found.sentence.startswith(f"Of {clients} {name} clients")


def test_whoever_waits_when_the_run_is_cut_off_has_not_failed() -> None:
    """A crowd that was interrupted is not said to be left with errors; the crowds before it are."""
    plan = CrowdPlan(("naive-fixed", "openai-python"), "limited", 10, 60.0)
    seen = CrowdRecords()
    for stage in plan.policies:
        for client, outcome in enumerate(("valid", "limited")):
            seen.add(Record(client, "", "measured", "", "POST", "", planned_s=1.0, last_byte_s=1.5, outcome=outcome,
                            stage=stage, client=client))  # fmt: skip
    first, second = seen.summary(plan, 2, 2.0, 1, complete=False).crowds
    assert "1 is left with an error" in first.sentence
    assert second.cut_off
    assert second.sentence.endswith("1 had a picture and 1 had none when the run was cut off.")
    assert "left with an error" in seen.summary(plan, 2, 2.0, 1, complete=True).crowds[1].sentence


def test_figures_of_a_known_crowd() -> None:
    """Mean, median, peak and the last picture of five attempts, worked out by hand."""
    told = [
        Attempt(0, 1, 10.0, "valid", 10.5),
        Attempt(1, 1, 10.2, "limited", 10.2),
        Attempt(1, 2, 17.2, "invalid", 18.2),  # 8 s after it first asked; a bad picture is one all the same
        Attempt(2, 1, 11.0, "limited", 11.0),
        Attempt(2, 2, 18.0, "server-error", 18.5),
    ]
    found = figures(policy("openai-python"), 3, 2.0, told)
    assert (found.succeeded, found.failed, found.attempts, found.admitted, found.limited) == (2, 1, 5, 2, 2)
    assert (found.latency_mean_s, found.latency_p50_s, found.latency_max_s) == (4.25, 0.5, 8.0)
    assert (found.last_served_s, found.all_served_s) == (8.2, None)
    assert found.peak_retries_per_s == 2
    assert found.attempts_per_success == 2.5
    assert found.sentence == (
        "Of 3 openai-python clients that ask within 2 s, 2 get a picture, half of those within 500 ms, the last after "
        "8.2 s, and 1 is left with an error after up to 2 attempts; up to 2 ask again in the same second."
    )
