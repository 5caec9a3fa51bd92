"""Dry run: what a backfill would make, without making it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from jobs.backfill.request import Asked, Range, range_of
from jobs.backfill.standing import counted, stood, stretches
from jobs.conf import conf
from jobs.models import Job
from jobs.policies.backfill import Standing, Ticks, Verdict, decide

MOST_LOOKED_AT = 20_000
"""Up to how many ticks each is looked at; of more the ledger is asked for numbers."""
SHOWN = 5

LEFT = {
    Standing.LIVE: "have runs that have not ended",
    Standing.SUCCEEDED: "have run already",
    Standing.FAILED: "failed or did not run, and are to stay so",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a backfill would do, counted in ticks."""

    total: int
    new: int
    """Those that have no run yet."""
    redone: int
    """Those that have, and would be run again."""
    left: tuple[tuple[int, str], ...]
    """Those that would be left alone, by the reason."""
    runs: int
    """How many runs it would make at most; of a job with a run on each worker, how many ticks."""
    too_many: str
    """Why it is refused unless somebody wants even so many; or an empty text."""
    exact: bool
    """Of a large range what has rows is counted by the ledger alone, also if it is no tick by the schedule of today."""
    first: tuple[datetime, ...]
    last: tuple[datetime, ...]
    """The first and the last ticks of the range, in order and in UTC, none twice."""


def preview(job: Job, asked: Asked, now: datetime) -> Preview:
    """What a backfill would make. Raises RequestRefused as `start` does, but not for too many ticks."""
    found = range_of(job, asked, now)
    exact = found.total <= MOST_LOOKED_AT
    standings = _looked_at(job, found.ticks) if exact else _counted(job, found)
    verdicts: Counter[Verdict] = Counter()
    left: Counter[Standing] = Counter()
    for standing, number in standings.items():
        verdict = decide(asked.redo, standing)
        verdicts[verdict] += number
        if verdict is Verdict.LEAVE:
            left[standing] += number
    first = tuple(islice(found.ticks.forward(found.ticks.first), SHOWN))
    last = tuple(reversed([tick for tick in islice(found.ticks.backward(found.ticks.last), SHOWN) if tick > first[-1]]))
    made = verdicts[Verdict.NEW] + verdicts[Verdict.REDO]
    return Preview(
        total=found.total,
        new=verdicts[Verdict.NEW],
        redone=verdicts[Verdict.REDO],
        left=tuple((left[standing], words) for standing, words in LEFT.items() if left[standing]),
        runs=made * found.runs // found.total,
        too_many=found.too_many(),
        exact=exact,
        first=first,
        last=last,
    )


def _looked_at(job: Job, ticks: Ticks) -> Counter[Standing]:
    """Each tick by itself, as the beat will look at it."""
    standings: Counter[Standing] = Counter()
    for batch in _batches(ticks.forward(ticks.first), conf().batch):
        standings.update(look.standing for look in stood(job.pk, batch).values())
    return standings


def _batches(ticks: Iterator[datetime], size: int) -> Iterator[list[datetime]]:
    while batch := list(islice(ticks, size)):
        yield batch


def _counted(job: Job, found: Range) -> Counter[Standing]:
    """By the numbers of rows, and by arithmetic within the stretches of missed ticks."""
    first, last = found.ticks.first, found.ticks.last
    missed = stretches(job.pk, first, last)
    rows = counted(job.pk, first, last, missed)
    standings: Counter[Standing] = Counter()
    for (standing, _), number in rows.items():
        standings[standing] += number
    inside = sum(number for (_, in_stretch), number in rows.items() if in_stretch)
    covered = sum(Ticks(found.ticks.schedules, *stretch).count() for stretch in missed)
    standings[Standing.FAILED] += max(0, covered - inside)
    standings[Standing.ABSENT] = max(0, found.total - standings.total())
    return standings
