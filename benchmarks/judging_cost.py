"""What judging costs: the judging process's own loop over answers that were made beforehand, in this one process.

    python benchmarks/judging_cost.py [--repeat 5] [--only tiny|pictures|broken] [--profile]

Nothing is sent and nothing else runs, so that what a change to a judge saves or costs is seen at once, by the
microsecond; load_throughput.py then says what it is worth in a load. Frames, memory and records are those of a load.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import os
import pstats
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loading import spread
from picture_server import Answers

from testcard.core.target import Target
from testcard.load.arena import Arena, Lease, Reading
from testcard.load.brief import Brief
from testcard.load.handover import END, Delivery, Planned, deliveries, frame
from testcard.load.journal import Journal
from testcard.load.judging import Recorder
from testcard.load.payload import body_of
from testcard.load.plan import LoadPlan
from testcard.load.planning import plan_load
from testcard.load.reply import Reply
from testcard.load.sampling import decoded_every

_KEY = "sk-no-server-asks-for-it-0123456789"  # redacted as any other


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: so many answers, at the rate that settles how many pictures are decoded."""

    name: str
    picture_bytes: int
    rate_per_s: float
    answers: int
    distinct: int
    broken: bool = False
    """Cut off in the middle, with a status that says that all is well."""


CASES = (
    Case("tiny", 600, 2000.0, 4000, 4000),
    Case("pictures", 1_500_000, 100.0, 200, 40),
    Case("broken", 1_500_000, 100.0, 60, 20, broken=True),
)


def frames(case: Case, plan: LoadPlan, answers: Answers, arena: Arena) -> Iterator[bytes]:
    """The answers as a worker hands them over."""
    places: list[Lease] = []
    now = time.time()
    for arrival, index in zip(plan.share(0), range(case.answers), strict=False):
        request_id = f"6f9619ff-8b86-4011-b42d-{index:012x}"
        head, _, body = b"".join(answers.next(request_id.encode())).partition(b"\r\n\r\n")
        if case.broken:
            body = body[: len(body) // 2]
        lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        headers = tuple((name.decode(), value.decode()) for name, _, value in lines)
        lease = arena.take(len(body)) if index < case.distinct else None
        if lease is not None:
            arena.view(lease)[: len(body)] = body
            places.append(lease)
        place = places[index % len(places)] if places else None
        due = arrival.offset_s
        reply = Reply(
            due + 0.000123, due + 0.001234, due + 0.001345, 200, headers, b"" if place else body, None, place,
            len(body),
        )  # fmt: skip
        yield frame(Delivery(index, Planned.of(arrival), due, now, now, request_id, body_of(plan, arrival), reply))


def measure(case: Case, repeat: int, profile: bool) -> None:
    """Print CPU time an answer; with profile where it goes."""
    answers = Answers(case.picture_bytes)
    size = f"{answers.side}x{answers.side}"
    target = Target("http://127.0.0.1:9/v1", model="m", sizes=(size,), default_size=size)
    plan = plan_load(
        target, response_format="b64_json", rate_per_s=case.rate_per_s, duration_s=case.answers / case.rate_per_s,
        warmup_s=0.0, arrivals="constant",
    )  # fmt: skip
    arena = Arena()
    data = b"".join(frames(case, plan, answers, arena)) + END
    every = decoded_every(plan)
    spent: list[float] = []
    profiler = cProfile.Profile() if profile else None
    with tempfile.TemporaryDirectory() as folder:
        for index in range(repeat):
            brief = Brief(plan, target, Path(folder), 0.0, 0)
            recorder = Recorder(brief, 0, every)
            reading = Reading(None if arena.descriptor is None else os.dup(arena.descriptor))
            with Journal(brief.answers(index)) as journal:
                began = time.process_time()
                if profiler is not None:
                    profiler.enable()
                for delivery in deliveries(io.BufferedReader(io.BytesIO(data)), reading, journal.flush):
                    if delivery is not None:
                        journal.note(recorder.take(delivery))
                if profiler is not None:
                    profiler.disable()
                spent.append((time.process_time() - began) / case.answers)
    print(f"{case.name:<9} {spread(spent, lambda value: f'{value * 1e6:,.1f} us')}", flush=True)
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    os.environ["TESTCARD_API_KEY"] = _KEY
    for case in CASES:
        if options.only in (None, case.name):
            measure(case, options.repeat, options.profile)


if __name__ == "__main__":
    main()
