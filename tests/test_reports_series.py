"""What the charts draw, against the samples themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sample_run
from testcard.core.record import Record
from testcard.reports.series import LoadSeries

ROW = replace(next(sample_run.load_records(1)), phase="measured")


def series(records: Iterable[Record]) -> LoadSeries:
    added = LoadSeries()
    for record in records:
        added.add(record)
    return added


def arrival(planned: float, latency: float, outcome: str = "valid") -> Record:
    """An arrival whose answer is complete `latency` seconds after it was due."""
    return replace(ROW, outcome=outcome, planned_s=planned, sent_s=planned, last_byte_s=planned + latency, media_s=None)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=400))
def test_the_curve_goes_through_the_order_statistics(values: list[int]) -> None:
    """At every drawn quantile q stands the sample of rank ⌈q·n⌉; the last one is the slowest."""
    latencies = sorted(value / 1000 for value in values)
    curve = series(arrival(0.0, latency) for latency in latencies).curves()["latency_s"]
    assert curve.samples == len(latencies)
    for q, seconds in curve.points:
        assert seconds == latencies[max(math.ceil(q * len(latencies) - 1e-9), 1) - 1]
    assert curve.points[-1][1] == latencies[-1]
    assert list(curve.points) == sorted(curve.points)


def test_an_arrival_without_a_valid_answer_is_infinitely_late_on_the_second_curve() -> None:
    """With 90 valid answers and 10 others the curve over every arrival ends at p90; the other knows nothing of them."""
    good = [arrival(0.0, latency / 100) for latency in range(1, 91)]
    others = [arrival(0.0, 0.001, outcome) for outcome in ("limited", "server-error", "timeout", "broken", "lost") * 2]
    curves = series([*good, *others]).curves()
    assert dict(curves["latency_s"].points)[0.9] == pytest.approx(0.81)
    assert dict(curves["every_s"].points)[0.9] == pytest.approx(0.90)
    assert curves["every_s"].points[-1][0] == pytest.approx(0.9)
    assert "every_s" not in series(good).curves()


def test_an_invalid_picture_has_a_latency_but_serves_nobody() -> None:
    """A 2xx that breaks the contract is on the latency curve, and infinitely late on the one that SLOs judge."""
    curves = series([arrival(0.0, 0.1), arrival(0.0, 0.9, "invalid")]).curves()
    assert curves["latency_s"].points[-1][1] == 0.9
    assert curves["every_s"].points[-1][1] == 0.1


def test_spans_start_and_end_where_they_say() -> None:
    """Latency starts at the planned send, however late the actual one was, and pictures end at their last byte."""
    late = replace(arrival(10.0, 0.5), sent_s=10.2, media_s=10.9)
    refused = arrival(10.0, 0.1, "refused")
    ends = {name: curve.points[-1][1] for name, curve in series([late, refused]).curves().items()}
    assert ends == pytest.approx({"latency_s": 0.5, "media_s": 0.9, "every_s": 0.5, "every_media_s": 0.9})


def test_only_measured_arrivals_count() -> None:
    """Warm-up and the check stand in no figure."""
    assert len(series([*sample_run.check_records(5), replace(ROW, phase="warmup")])) == 0
    assert series([]).bins() == ()
    assert series([]).points() == ()
    assert series([]).curves() == {}


def test_bins_account_for_every_arrival_and_their_rates_add_up() -> None:
    """No arrival is lost between the stretches, which cover the run without a gap."""
    records = [record for record in sample_run.load_records() if record.phase == "measured"]
    measured = series(records)
    bins = measured.bins()
    assert 10 <= len(bins) <= 45
    assert sum((Counter(b.outcomes) for b in bins), Counter()) == Counter(record.outcome for record in records)
    assert sum(b.offered_per_s * b.width_s for b in bins) == pytest.approx(len(records))
    for b, following in pairwise(bins):
        assert b.start_s + b.width_s == pytest.approx(following.start_s)
    assert bins[-1].start_s + bins[-1].width_s == pytest.approx(measured.duration_s)


def test_a_stall_shows_as_a_gap_and_a_burst_in_the_achieved_rate() -> None:
    """Answers count when they are complete, so a server that stands still achieves nothing meanwhile."""
    records = [arrival(t / 10, 0.05 if not 100 <= t < 150 else 15.05 - t / 10) for t in range(300)]
    bins = series(records).bins()
    stalled = [b for b in bins if b.start_s >= 10 and b.start_s + b.width_s <= 15]
    after = next(b for b in bins if b.start_s + b.width_s > 15.05)
    assert stalled
    assert all(b.achieved_per_s == 0 for b in stalled)
    assert after.achieved_per_s > 25
    assert all(b.offered_per_s == pytest.approx(10, abs=2) for b in bins)
    assert after.p95_s is not None
    assert max(b.max_s or 0 for b in stalled) > 4


@settings(max_examples=20, deadline=None, database=None)
@given(st.integers(0, 5999), st.integers(1, 6000))
def test_the_sample_is_bounded_and_keeps_the_slowest(place: int, count: int) -> None:
    """However many answers there were, at most 900 are drawn, and the slowest is one of them."""
    slow = place % count
    points = series(arrival(n / 100, 9.0 if n == slow else 0.1) for n in range(count)).points()
    assert len(points) <= 900
    assert len(points) == count or count > 900
    assert max(points, key=lambda point: point[1]) == pytest.approx((slow / 100, 9.0))
