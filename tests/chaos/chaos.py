"""The fault matrix: what may go wrong around a run, tried on real processes, stores, servers.

    python tests/chaos/chaos.py [--seed N] [--only WORDS] [--minutes M] [--jobs J] [--write]

Every trial says what was lost, asked twice, wrong or hung; the table counts what was tried beside what was survived.
`--only` takes parts of rows or names, between commas. With `--write` the table goes to `benchmarks/results/chaos.md`.
The end is 1 where anything was not survived.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "backends")]

import bad_plugins  # noqa: E402 - the folders above
import disturbed  # noqa: E402
import tally  # noqa: E402
import wire  # noqa: E402
from trial import Found, Trial, Tried  # noqa: E402

ROWS: list[Callable[[], Iterable[Trial]]] = [
    disturbed.trials, disturbed.damaged_trials, wire.trials, bad_plugins.trials,
]  # fmt: skip
RESULTS = HERE.parents[1] / "benchmarks" / "results" / "chaos.md"


def every() -> list[Trial]:
    """The whole matrix."""
    return [trial for row in ROWS for trial in row()]


def once(trial: Trial, seed: int) -> Tried:
    """Try it in a folder of its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        try:
            found = trial.attempt(Path(folder), seed)
        except Exception as error:  # the trial's own mistake must not pass for survival
            found = Found(wrong=f"the trial itself raised {type(error).__name__}: {error}")
    return Tried(trial, found, time.monotonic() - began)


def tried(trials: list[Trial], seed: int, minutes: float, jobs: int) -> Iterator[Tried]:
    """The trials in an order of the seed's, until the time is over."""
    order = random.Random(seed)
    shuffled = order.sample(trials, len(trials))
    seeds = [order.getrandbits(32) for _ in shuffled]
    last = time.monotonic() + 60 * minutes

    def in_time(pair: tuple[Trial, int]) -> Tried | None:
        return once(*pair) if time.monotonic() < last else None

    with ThreadPoolExecutor(jobs) as pool:
        for done in pool.map(in_time, zip(shuffled, seeds, strict=True)):
            if done is not None:
                yield done


def main() -> int:
    """Try what was asked for; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of kill points, damage and the order of the trials")
    parser.add_argument("--only", default="", help="parts of rows or names, between commas")
    parser.add_argument("--minutes", type=float, default=15, help="after which nothing is begun")
    parser.add_argument("--jobs", type=int, default=2, help="trials at the same time")
    parser.add_argument("--write", action="store_true", help="the table to benchmarks/results/chaos.md")
    given = parser.parse_args()
    words = [word.strip() for word in given.only.split(",") if word.strip()]
    trials = [one for one in every() if not words or any(word in f"{one.row}: {one.name}" for word in words)]
    began, found = time.monotonic(), []
    for done in tried([one for one in trials if not one.lacks], given.seed, given.minutes, given.jobs):
        found.append(done)
        if not done.found.survived:
            print(f"not survived: {done.named} ({done.seconds:.0f} s): {done.found.said}", file=sys.stderr, flush=True)
    page = tally.page(trials, found, given.seed, (time.monotonic() - began) / 60)
    print(page)
    if given.write:
        RESULTS.write_text(page + "\n", "utf-8")
    return int(not all(done.found.survived for done in found))


if __name__ == "__main__":
    sys.exit(main())
