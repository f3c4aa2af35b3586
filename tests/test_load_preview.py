"""How fresh the picture on the screen is while somebody types, by timelines worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testcard.core.record import Picture, Record
from testcard.core.screen import Piece, Shown, age_quantiles, pieces
from testcard.core.summary import LoadSummary
from testcard.core.target import Slo
from testcard.core.targetfile import profile_target
from testcard.load import Generator, conclude, plan_load
from testcard.load.generator import WorkerReport
from testcard.load.preview import Screen

MOCK = profile_target("mock")
FINE = Generator(cores=2, workers=(WorkerReport(0, complete=True, cpu_share=0.1),))


def _prompt(typed: float, seen: float | None, outcome: str = "valid", **fields: object) -> Record:
    record = Record(
        number=int(typed * 100),
        case="load preview",
        phase="measured",
        at="",
        method="POST",
        url="",
        planned_s=typed,
        sent_s=typed,
        last_byte_s=seen,
        outcome=outcome,
        stage="typing",
        size="512x512",
        images=int(outcome in ("valid", "invalid")),
    )
    return replace(record, **fields)  # type: ignore[arg-type]  # fields of Record


def _conclude(records: list[Record], **options: object) -> LoadSummary:
    plan = plan_load(MOCK, scenario_name="preview", size="512x512", duration_s=options.pop("duration_s", 10.0))  # type: ignore[arg-type]  # a number
    return conclude(plan, records, generator=FINE, **options)  # type: ignore[arg-type]  # options of conclude


def test_the_age_of_the_picture_over_the_time() -> None:
    """Typed at 0, 1, 2, 3, 4; shown 0.5 later, but for the second, which was cancelled.

    0.0-0.5 nothing yet: the wait grows 0 to 0.5. 0.5-2.5 the first picture, 0.5 to 2.5 old: the second never came.
    2.5-3.5 the third, 0.5 to 1.5. 3.5-4.0 the fourth, 0.5 to 1.0. So of 4 s: 0.5 s below 0.5 old; then three pictures
    share the ages to 1.0 (1.5 s), two those to 1.5 (1.0 s), one those to 2.5 (1.0 s).
    """
    records = [_prompt(t, t + 0.5) for t in (0.0, 2.0, 3.0, 4.0)]
    records.append(_prompt(1.0, None, "cancelled", failure="cancelled: a newer prompt replaced it"))
    seen = _conclude(records).preview
    assert seen is not None
    assert (seen.prompts, seen.shown, seen.cancelled, seen.failed) == (5, 4, 1, 0)
    assert seen.shown_share == 0.8
    assert (seen.wasted, seen.wasted_images, seen.billed_unseen) == (1, 1, 0)
    assert seen.watched_s == 4.0
    # Half of the 4 s are spent at ages up to 1.0; 95 % = 3.8 s: 3.0 by age 1.5, the rest at one a second: 2.3.
    assert seen.age_s == pytest.approx({"p50": 1.0, "p95": 2.3, "max": 2.5})


def test_a_picture_that_nothing_replaces_grows_old() -> None:
    """One picture, then only cancelled prompts: its age rises to the end, and that is what the quantiles say."""
    records = [_prompt(0.0, 1.0), *(_prompt(float(t), None, "cancelled") for t in range(1, 11))]
    seen = _conclude(records).preview
    assert seen is not None
    assert seen.age_s == pytest.approx({"p50": 5.0, "p95": 9.5, "max": 10.0})
    assert (seen.shown, seen.wasted) == (1, 10)


def test_before_the_first_picture_the_wait_counts() -> None:
    """Nothing is ever shown: the age is the time since the first prompt, warm-up included."""
    records = [_prompt(100.0, None, "cancelled", phase="warmup")]
    records += [_prompt(102.0 + t, None, "server-error") for t in (0.0, 1.0, 2.0)]
    seen = _conclude(records).preview
    assert seen is not None
    assert (seen.prompts, seen.shown, seen.failed, seen.wasted) == (3, 0, 3, 0)
    assert seen.age_s == pytest.approx({"p50": 3.0, "p95": 3.9, "max": 4.0})


def test_a_picture_of_the_warmup_is_still_on_the_screen() -> None:
    """It stands there when the measured phase begins, and counts as nobody's share."""
    records = [_prompt(0.0, 0.5, phase="warmup"), _prompt(1.0, 1.5), _prompt(2.0, 2.5)]
    seen = _conclude(records).preview
    assert seen is not None
    assert (seen.prompts, seen.shown) == (2, 2)
    assert seen.age_s["max"] == pytest.approx(1.5)  # at 1.5, just before the second one comes


def test_what_was_billed_and_never_seen_is_counted() -> None:
    """An answer whose picture was still being fetched when the next prompt came, and one that held none; a picture
    that only breaks the contract is seen.
    """
    records = [
        _prompt(0.0, 0.2),
        _prompt(1.0, 1.2, "cancelled", images=1),
        _prompt(2.0, 2.2, "invalid"),
        _prompt(3.0, 3.2, "invalid", pictures=(Picture(9, "00", "png", 512, 511),)),
    ]
    seen = _conclude(records).preview
    assert seen is not None
    assert (seen.shown, seen.cancelled, seen.failed) == (2, 1, 1)
    assert (seen.wasted, seen.billed_unseen) == (2, 2)


def test_an_older_picture_does_not_replace_a_newer_one() -> None:
    """The screen shows the newest prompt's picture, whatever comes late."""
    timeline = pieces([Shown(0.0, 3.0), Shown(1.0, 2.0)], 0.0, 0.0, 4.0)
    assert timeline == [Piece(0.0, 2.0, 0.0), Piece(2.0, 4.0, 1.0)]
    assert age_quantiles(timeline)["max"] == pytest.approx(3.0)
    assert age_quantiles([]) == {}


def test_quantiles_of_the_age_are_those_of_a_fine_raster() -> None:
    """Looking every tenth of a millisecond gives the same."""
    shown = [Shown(0.1 * i, 0.1 * i + (0.05 + 0.013 * (i * i % 7))) for i in range(60) if i % 5]
    timeline = pieces(shown, 0.0, 0.0, 5.0)
    assert [a.end_s for a in timeline[:-1]] == [b.begin_s for b in timeline[1:]]
    ages = sorted(
        moment - next(p.typed_s for p in timeline if p.begin_s <= moment < p.end_s)
        for moment in (i * 1e-3 + 5e-4 for i in range(5000))
    )
    found = age_quantiles(timeline)
    assert found["p50"] == pytest.approx(ages[2499], abs=2e-3)
    assert found["p95"] == pytest.approx(ages[4749], abs=2e-3)


def test_cancelled_requests_stand_in_no_sum() -> None:
    """planned = sent + dropped, sent = answered + lost, and the seven outcomes, without them; the notes name them."""
    records = [_prompt(float(t), t + 0.3) for t in range(5)] + [_prompt(t + 0.5, None, "cancelled") for t in range(5)]
    load = _conclude(records)
    assert load.arrivals == {"planned": 5, "sent": 5, "dropped": 0, "answered": 5, "lost": 0}
    assert sum(load.outcomes.values()) == 5
    assert "cancelled" not in load.outcomes
    assert any("5 requests were cancelled" in note for note in load.notes)


def test_glances_are_one_in_two_seconds() -> None:
    """Each sees the age of its moment; seeded, so that a run concluded again says the same."""
    screen = Screen()
    for index in range(101):
        screen.add(_prompt(index * 0.4, index * 0.4 + 0.2))
    found = screen.glances(3)
    assert len(found) == 20
    assert all(0.2 <= age <= 0.6 + 1e-9 for age in found)
    assert found == screen.glances(3) != screen.glances(4)


@pytest.mark.parametrize(
    ("delay", "seconds", "verdict", "misses"),
    [
        (0.3, 130, "kept", 0),  # 65 glances, none above 1 s
        (0.3, 60, "inconclusive", 0),
        (2.0, 60, "refuted", 29),  # a picture every 2 s, 2 s old when it comes: all but the first glances
    ],
)
def test_the_claim_on_freshness_is_judged_by_glances(delay: float, seconds: float, verdict: str, misses: int) -> None:
    """Kept, open with what would decide, or refuted; no latency is certified or refuted from a preview."""
    step = 0.4 if delay < 0.4 else 2.0
    records = [_prompt(step * i, step * i + delay) for i in range(int(seconds / step) + 1)]
    load = _conclude(records, duration_s=seconds, claims=["preview-freshness"], slos=[Slo(0.5, 5.0)], price_usd=0.001)
    claim = next(claim for claim in load.claims if claim.id == "preview-freshness")
    assert (claim.verdict, claim.asked, claim.samples_of) == (verdict, True, "glances")
    assert claim.misses == pytest.approx(misses, abs=1)
    assert ("more glances" in claim.advice) is (verdict == "inconclusive")
    others = [*load.slos, *(bound for bound in load.claims if bound.id != "preview-freshness")]
    assert {bound.verdict for bound in others} == {"inconclusive"}
    assert any("--scenario steady" in bound.advice for bound in others)


def test_freshness_is_judged_in_previews_of_its_size_only() -> None:
    """Elsewhere the claim is open, and says how to load."""
    plan = plan_load(MOCK, size="512x512")
    for load in (
        conclude(plan, [], generator=FINE),
        conclude(plan_load(MOCK, scenario_name="preview"), [], generator=FINE),
    ):
        claim = next(claim for claim in load.claims if claim.id == "preview-freshness")
        assert (claim.verdict, claim.samples) == ("inconclusive", 0)
        assert claim.advice == "let somebody type: --scenario preview --size 512x512"
