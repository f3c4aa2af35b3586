"""False failures of the check on a correct server that is moody: one generation in twenty gets a documented 503.

    python benchmarks/moody.py [RUNS] [SHARE]

Every run has a seed of its own. Prints what was held against the server, which should be nothing.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from checking import mock_target

from testcard import schemas
from testcard.conformance import CheckOptions
from testcard.conformance.session import Session
from testcard.conformance.suite import judge_all
from testcard.core.outcome import FAIL, NOT_JUDGED
from testcard.core.target import Keyring
from testcard.mock_server import MockSettings, running

RUNS = 50
SHARE = 0.05
WINDOW_S = 3.0
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Run:
    seed: int
    accused: dict[str, str]
    unjudged: tuple[str, ...]
    unavailable: int
    """How many 503s came."""
    requests: int
    images: int


def run(seed: int, share: float) -> Run:
    """One full check of the correct mock; a SHOULD counts as a MUST."""
    statuses: Counter[int | None] = Counter()
    settings = MockSettings(unavailable_rate=share, seed=seed, window_s=WINDOW_S)
    with running(settings) as base_url:
        target = mock_target(base_url, "page", WINDOW_S)
        session = Session(
            target,
            Keyring(target, {}),
            CheckOptions(seed=seed, strict=True),
            on_record=lambda record: statuses.update([record.status]),
        )
        judge_all(session)
        results = [session.tally.result(name) for name in schemas.requirements()]
        session.close()
    return Run(
        seed=seed,
        accused={result.id: result.actual for result in results if result.outcome == FAIL},
        unjudged=tuple(result.id for result in results if result.outcome == NOT_JUDGED),
        unavailable=statuses[503],
        requests=session.sender.requests,
        images=session.sender.budget.spent,
    )


def main() -> None:
    numbers = sys.argv[1:]
    runs = int(numbers[0]) if numbers else RUNS
    share = float(numbers[1]) if len(numbers) > 1 else SHARE
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda seed: run(seed, share), range(1, runs + 1)))
    for row in done:
        for name, actual in row.accused.items():
            print(f"ACCUSED  seed {row.seed}: {name}: {actual}")
        if row.unjudged:
            print(f"unjudged seed {row.seed}: {', '.join(row.unjudged)}")
    accused, unavailable = sum(bool(row.accused) for row in done), sum(row.unavailable for row in done)
    print(
        f"{accused} of {runs} runs accused a correct server, which answered {unavailable} times with 503; "
        f"{sum(bool(row.unjudged) for row in done)} left something unjudged; at most "
        f"{max(row.requests for row in done)} requests and {max(row.images for row in done)} images a run, "
        f"{time.monotonic() - began:.0f} s in all"
    )
    sys.exit(1 if accused else 0)


if __name__ == "__main__":
    main()
