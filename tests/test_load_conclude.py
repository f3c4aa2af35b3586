"""What a load's records add up to: spans, outcomes, validity, verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from testcard import schemas
from testcard.core.exchange import Exchange, Failure, Request, Response
from testcard.core.judgement import Judgement
from testcard.core.outcome import LOAD_OUTCOMES
from testcard.core.record import Finding, Record
from testcard.core.target import Slo
from testcard.core.targetfile import profile_target
from testcard.load import Generator, LoadPlan, conclude, plan_load
from testcard.load.classify import classify
from testcard.load.ending import Ending
from testcard.load.generator import WorkerReport
from testcard.load.overload import Overload

MOCK = profile_target("mock")
PLAN = plan_load(MOCK, rate_per_s=10, duration_s=10, warmup_s=1)
FINE = Generator(cores=2, workers=(WorkerReport(0, complete=True, cpu_share=0.1),))


def _record(number: int, outcome: str | None = "valid", latency: float | None = 0.2, **fields: object) -> Record:
    planned = number * 0.1
    record = Record(
        number=number,
        case="load",
        phase="measured",
        at="",
        method="POST",
        url="",
        planned_s=planned,
        sent_s=planned + 0.001,
        first_byte_s=None if latency is None else planned + latency / 2,
        last_byte_s=None if latency is None else planned + latency,
        outcome=outcome,
        size="1024x1024",
    )
    return replace(record, **fields)  # type: ignore[arg-type]  # fields of Record


def test_the_sums_of_the_arrivals_hold() -> None:
    """planned = sent + dropped, sent = answered + lost, answered = the seven outcomes; warm-up and check apart."""
    records = [_record(index, outcome) for index, outcome in enumerate(LOAD_OUTCOMES)]
    records += [_record(50, phase="warmup"), _record(51, None, phase="check"), _record(52, "limited")]
    load = conclude(PLAN.to_json(), records, generator=FINE)
    assert load.arrivals == {"planned": 10, "sent": 9, "dropped": 1, "answered": 8, "lost": 1}
    assert sum(load.outcomes.values()) == load.arrivals["answered"]
    assert load.outcomes["limited"] == 2
    assert load.warmup == 1


def test_each_span_is_what_its_name_says() -> None:
    """latency_s from planned, service_s from sent, media_s to the picture; good answers only."""
    records = [
        _record(0, latency=0.2),
        _record(1, "invalid", latency=0.3, sent_s=0.15),
        _record(2, "limited", latency=0.001),
        _record(3, "server-error", latency=9.0),
        _record(4, "timeout", latency=None),
        _record(5, latency=0.4, media_s=1.5),
    ]
    load = conclude(PLAN, records, generator=FINE)
    assert load.latency_s["max"] == pytest.approx(0.4)
    assert load.latency_s["p50"] == pytest.approx(0.3)
    assert load.service_s["p50"] == pytest.approx(0.25)  # 0.199, 0.4 - 0.15 = 0.25, 0.399
    assert load.media_s is not None
    assert load.media_s["max"] == pytest.approx(1.0)
    assert load.first_byte_s is not None


def test_nothing_answered_gives_no_quantiles() -> None:
    """Without a good answer there are no latencies, and no verdict but for the misses."""
    load = conclude(
        PLAN, [_record(index, "timeout", None) for index in range(100)], slos=[Slo(0.95, 1.0)], generator=FINE
    )
    assert (load.latency_s, load.media_s) == ({}, None)
    assert (load.slos[0].verdict, load.slos[0].misses) == ("refuted", 100)
    assert conclude(PLAN, [], generator=FINE).arrivals["planned"] == 0


@pytest.mark.parametrize(
    ("status", "failure", "broken", "outcome"),
    [
        (200, None, None, "valid"),
        (200, None, "image.size", "invalid"),
        (200, None, "identity.request-id", "valid"),  # a SHOULD
        (200, Failure("closed", ""), None, "broken"),
        (200, Failure("timeout", ""), None, "timeout"),
        (None, Failure("connect", ""), None, "broken"),
        (302, None, None, "refused"),
        (404, None, None, "refused"),
        (429, None, "limit.retry-after", "limited"),
        (503, None, None, "server-error"),
    ],
)
def test_each_answer_has_one_outcome(
    status: int | None, failure: Failure | None, broken: str | None, outcome: str
) -> None:
    """The outcome follows from failure, status and the MUSTs that were broken, in this order."""
    must = {name: row.level for name, row in schemas.requirements().items()}
    assert (must["image.size"], must["identity.request-id"]) == ("MUST", "SHOULD")
    response = None if status is None else Response(status, (), b"")
    exchange = Exchange(
        Request("load"), 1, "", "", (), "", planned_s=0.0, sent_s=0.0, response=response, failure=failure
    )
    findings = (Finding(broken, held=False),) if broken else ()
    assert classify(exchange, Judgement(findings)) == outcome


def test_claims_are_judged_at_their_size_only() -> None:
    """All claims are shown; one of another size is inconclusive and says which --size to use."""
    load = conclude(PLAN, [_record(index) for index in range(100)], claims=["interactive"], generator=FINE)
    by_id = {claim.id: claim for claim in load.claims}
    assert set(by_id) == set(schemas.claims())
    assert (by_id["interactive"].verdict, by_id["interactive"].asked) == ("kept", True)
    assert by_id["interactive"].upper_s == pytest.approx(0.2)
    other = by_id["real-time-previews"]
    assert (other.verdict, other.asked, other.samples) == ("inconclusive", False, 0)
    assert "--size 512x512" in other.advice


def test_an_open_verdict_says_what_would_decide() -> None:
    """Samples, time at this rate and money."""
    load = conclude(PLAN, [_record(i) for i in range(100)], slos=[Slo(0.99, 1.0)], generator=FINE, price_usd=0.0012)
    slo = load.slos[0]
    assert slo.verdict == "inconclusive"
    assert slo.advice == "199 more requests, about 19.9 s at this rate and $0.24, would decide"


def test_a_claim_waits_for_the_picture_and_an_slo_for_the_answer() -> None:
    """Where pictures come as URLs, a person sees them only then."""
    records = [_record(index, media_s=index * 0.1 + 1.2) for index in range(100)]
    load = conclude(PLAN, records, claims=["interactive"], slos=[Slo(0.95, 1.0)], generator=FINE)
    claim = next(claim for claim in load.claims if claim.id == "interactive")
    assert (claim.verdict, claim.span) == ("refuted", "planned to the last picture's last byte")
    assert (load.slos[0].verdict, load.slos[0].span) == ("kept", "planned to last byte")


def _late() -> Iterator[Record]:
    return (_record(index, sent_s=index * 0.1 + 0.05) for index in range(100))


@pytest.mark.parametrize(
    ("records", "generator", "validity"),
    [
        (lambda: [_record(index) for index in range(100)], FINE, "ok"),
        (_late, FINE, "generator-late"),
        (
            lambda: [_record(index) for index in range(100)],
            Generator(cores=2, workers=(WorkerReport(0, complete=True, cpu_share=0.97),)),
            "generator-busy",
        ),
    ],
)
def test_nothing_is_certified_from_a_generator_that_was_late_or_busy(
    records: object, generator: Generator, validity: str
) -> None:
    """The figures stand, the verdicts are open and say why."""
    load = conclude(PLAN, records(), slos=[Slo(0.95, 1.0)], generator=generator)  # type: ignore[operator]  # a factory
    assert load.validity == validity
    assert load.latency_s["p50"] == pytest.approx(0.2)
    expected = "kept" if validity == "ok" else "inconclusive"
    assert {load.slos[0].verdict, *(c.verdict for c in load.claims if c.id == "interactive")} == {expected}
    assert ("the generator was" in load.slos[0].advice) is (validity != "ok")


def test_a_run_that_was_cut_off_is_concluded_from_what_there_is() -> None:
    """Without the generator's account and with half of the arrivals, figures stand and notes say what is missing."""
    load = conclude(PLAN.to_json(), [_record(index) for index in range(60)], slos=[Slo(0.95, 1.0)])
    assert load.arrivals["planned"] == 60
    assert load.slos[0].verdict == "kept"
    assert any("60 of 110" in note for note in load.notes)
    assert any("cut off" in note for note in load.notes)


def test_offered_and_achieved_rate_part_where_arrivals_were_dropped() -> None:
    """Offered is what was planned, achieved what was sent, a second."""
    records = [_record(index, "dropped" if index % 2 else "valid") for index in range(100)]
    records = [replace(r, sent_s=None, last_byte_s=None) if r.outcome == "dropped" else r for r in records]
    load = conclude(PLAN, records, generator=FINE)
    assert (load.offered_rate_per_s, load.achieved_rate_per_s) == (10.0, 5.0)


def test_a_plan_of_an_older_file_is_understood() -> None:
    """Unknown names in the header's plan are passed over."""
    assert LoadPlan.from_json(PLAN.to_json() | {"later": 1}) == PLAN


@pytest.mark.parametrize(
    ("outcomes", "reached"),
    [
        (["valid"] * 120, False),
        (["valid", "server-error"] * 60, False),  # exactly half
        (["server-error", "timeout", "valid"] * 40, True),
        (["limited"] * 120, False),  # the server protects itself
        (["server-error"] * 60, False),  # 6 s: not yet 10
    ],
)
def test_a_server_that_mostly_fails_is_left_alone(outcomes: list[str], reached: bool) -> None:
    """More than half of 10 s of answers as 5xx or timeouts is the end; less, or shorter, is not."""
    overload = Overload(timeout_s=1.0)
    for index, outcome in enumerate(outcomes):
        record = _record(index, outcome, None if outcome == "timeout" else 0.05)
        overload.add(Ending.of(record, None))
    assert overload.reached is reached


STEPS = plan_load(MOCK, scenario_name="steps", rate_per_s=10, duration_s=80, warmup_s=0)


def _steps(late: dict[str, int], **fields: object) -> list[Record]:
    """The arrivals of STEPS at 0.2 s, with so many of a stage at 2 s."""
    left = dict(late)
    found = []
    for arrival in STEPS.schedule():
        slow = left.get(arrival.stage, 0) > 0
        left[arrival.stage] = left.get(arrival.stage, 0) - slow
        latency, due = (2.0 if slow else 0.2), arrival.offset_s
        found.append(_record(arrival.index, latency=latency, stage=arrival.stage, planned_s=due, sent_s=due))
        found[-1] = replace(found[-1], last_byte_s=due + latency, **fields)  # type: ignore[arg-type]  # of Record
    return found


@pytest.mark.parametrize(
    ("late", "verdict", "stage"),
    [
        ({}, "kept", "step-1"),  # all alike; the first
        ({"step-4": 80}, "refuted", "step-4"),
        ({"step-1": 20, "step-4": 180}, "refuted", "step-4"),  # 40 % and 90 %: the worse one is shown
        ({"step-2": 18}, "inconclusive", "step-2"),  # 18 of 100 for a p80: neither
        ({"step-2": 18, "step-3": 100}, "refuted", "step-3"),
    ],
)
def test_where_the_rate_changes_each_stage_is_judged_and_the_worst_counts(
    late: dict[str, int], verdict: str, stage: str
) -> None:
    """Kept only if all keep it, refuted if one refutes it, at a confidence that all four share."""
    load = conclude(STEPS, _steps(late), slos=[Slo(0.8, 1.0)], generator=FINE, price_usd=0.001)
    (slo,) = load.slos
    assert (slo.id, slo.verdict, slo.stage) == ("p80<=1s", verdict, stage)
    assert slo.confidence == pytest.approx(1 - 0.05 / 4)
    assert [one.verdicts["p80<=1s"] for one in load.stages if one.name not in late] == ["kept"] * (4 - len(late))
    assert [one.arrivals["planned"] for one in load.stages] == [50, 100, 150, 200]
    assert sum(one.outcomes["valid"] for one in load.stages) == 500
    assert ("more requests in step-2" in slo.advice) is (verdict == "inconclusive")


def test_all_late_in_a_tenth_of_the_load_is_not_hidden_by_the_rest() -> None:
    """Every arrival of the first step is late: 10 % of all, which a p80 over everything would have kept."""
    load = conclude(STEPS, _steps({"step-1": 50}), slos=[Slo(0.8, 1.0)], generator=FINE)
    assert (load.slos[0].verdict, load.slos[0].stage, load.slos[0].misses) == ("refuted", "step-1", 50)


def test_a_ramp_is_judged_where_its_rate_is_held() -> None:
    """What is late while the rate rises stands in the figures, and in no verdict."""
    plan = plan_load(MOCK, scenario_name="ramp", rate_per_s=10, duration_s=50, warmup_s=0)
    records = [
        _record(a.index, latency=0.2 if a.stage == "hold" else 9.0, stage=a.stage, planned_s=0.0, sent_s=0.0)
        for a in plan.schedule()
    ]
    records = [replace(r, last_byte_s=0.2 if r.stage == "hold" else 9.0) for r in records]
    load = conclude(plan, records, slos=[Slo(0.95, 1.0)], generator=FINE)
    (slo,) = load.slos
    assert (slo.verdict, slo.stage, slo.samples, slo.confidence) == ("kept", "hold", 200, 0.95)
    assert [(stage.name, stage.judged_as) for stage in load.stages] == [("ramp", ""), ("hold", "hold")]
    assert load.latency_s["p50"] == pytest.approx(0.2)
    assert load.stages[0].latency_s["p50"] == pytest.approx(9.0)


def test_a_soak_is_judged_as_one() -> None:
    """One rate throughout, so all arrivals speak of one quantile; quarters are only told apart."""
    plan = plan_load(MOCK, scenario_name="soak", duration_s=100, warmup_s=0)
    records = [_record(arrival.index, stage=arrival.stage) for arrival in plan.schedule()]
    load = conclude(plan, records, slos=[Slo(0.95, 1.0)], generator=FINE)
    assert (load.slos[0].samples, load.slos[0].stage, load.slos[0].confidence) == (200, None, 0.95)
    assert [stage.verdicts for stage in load.stages] == [{}] * 4
    assert [stage.arrivals["planned"] for stage in load.stages] == [50] * 4


def test_an_slo_on_a_size_counts_the_arrivals_of_that_size_only() -> None:
    """The small ones are in time, the large ones are not; each SLO says so, and what would decide an open one."""
    plan = plan_load(MOCK, duration_s=20, warmup_s=0, size="1024x1024=3,512x512=1")
    records = []
    for arrival in plan.schedule():
        latency = 0.2 if arrival.kind.size == "512x512" else 3.0
        records.append(_record(arrival.index, latency=latency, size=arrival.kind.size, stage=arrival.stage))
    slos = [Slo(0.9, 1.0, "512x512"), Slo(0.9, 1.0, "1024x1024"), Slo(0.99, 1.0, "512x512"), Slo(0.9, 1.0, "768x1024")]
    load = conclude(plan, records, slos=slos, generator=FINE, price_usd=0.001)
    assert [(slo.verdict, slo.samples, slo.misses) for slo in load.slos] == [
        ("kept", 50, 0), ("refuted", 150, 150), ("inconclusive", 50, 0), ("inconclusive", 0, 0),
    ]  # fmt: skip
    # 249 more of the small ones: 2.5 a second of the 10, and the large ones between them cost as well.
    assert load.slos[2].advice == "249 more requests, about 99.6 s at this rate and $1.00, would decide"
    assert load.slos[3].advice == "load at its size: --size 768x1024"
    assert {size.size: size.latency_s["max"] for size in load.by_size} == pytest.approx(
        {"1024x1024": 3.0, "512x512": 0.2}
    )
