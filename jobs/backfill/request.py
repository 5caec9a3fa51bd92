"""Request: check what is asked for, and make a backfill of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from jobs.backfill.sources import Source, source_of
from jobs.conf import conf
from jobs.models import Backfill, Job
from jobs.models.backfill import MOST_AT_ONCE
from jobs.models.choices import BackfillOrder, FanOut, Redo
from jobs.policies.backfill import Ticks, TooFarApart
from jobs.schedules.fields import FIRST_YEAR
from jobs.trigger import RequestRefused

LONGEST_REASON = 500
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be backfilled: the ticks from `first` to `last`, aware moments, both included, and how and why.

    `redo` says which ticks are run though they have runs: none, failed (those that failed or did not run) or all. The
    oldest or the newest go first; at most `at_once` ticks, 1 to 1,000, have runs that have not ended.
    """

    first: datetime
    last: datetime
    redo: str = Redo.NONE
    order: str = BackfillOrder.OLDEST
    at_once: int = 1
    why: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """The ticks that are asked for; there is one at least."""

    source: Source
    ticks: Ticks
    total: int
    runs: int
    """How many runs that is at most; of a job with a run on each worker, how many ticks."""

    def too_many(self) -> str:
        """Why there are too many, or an empty text."""
        limit = conf().backfill_limit
        if self.runs <= limit:
            return ""
        split = "" if self.runs == self.total else f" and {self.runs:,} runs"
        return f"the range has {self.total:,} ticks{split}, more than {limit:,}; say that you want even so many"


def start(job_id: int, asked: Asked, by: str, now: datetime, *, even_if_many: bool = False) -> Backfill:
    """Make the backfill; the beat then makes its runs.

    Raises Job.DoesNotExist, and RequestRefused with the field that makes no sense: also for more than BACKFILL_LIMIT
    ticks, unless `even_if_many`, and where another backfill of the job that has not ended has a part of the range.
    """
    if not asked.why.strip() or len(asked.why) > LONGEST_REASON:
        raise RequestRefused("why", f"say in 1 to {LONGEST_REASON} characters why")
    with transaction.atomic():
        job = Job.objects.select_for_update(no_key=True).get(pk=job_id)
        found = range_of(job, asked, now)
        if not even_if_many and (many := found.too_many()):
            raise RequestRefused("even_if_many", many)
        _refuse_second(job, asked)
        return _made(job, asked, found, by)


def range_of(job: Job, asked: Asked, now: datetime) -> Range:
    """The range that is asked for. Raises RequestRefused."""
    _check_moments(asked, now)
    _check_choices(asked)
    try:
        source = source_of(job)
        ticks = source.ticks(asked.first, asked.last)
        total = ticks.count()
    except TooFarApart as error:
        raise RequestRefused("last", str(error)) from error
    except ValueError as error:
        raise RequestRefused("job", f"its ticks cannot be told: {error}") from error
    if not total:
        raise RequestRefused("last", _no_tick(source, asked))
    return Range(source, ticks, total, total * (job.shards if job.fan_out == FanOut.SHARDS else 1))


def _check_moments(asked: Asked, now: datetime) -> None:
    for field, moment in (("first", asked.first), ("last", asked.last)):
        if not isinstance(moment, datetime):
            raise RequestRefused(field, f"must be a datetime, not {moment!r:.80}")
        if moment.utcoffset() is None:
            raise RequestRefused(field, f"{moment} has no time zone, so it is no moment")
        if moment.year < FIRST_YEAR:
            raise RequestRefused(field, f"must not be before the year {FIRST_YEAR}")
    # By their timestamps, because two times of one zone compare by the clock on the wall.
    if asked.last.timestamp() > now.timestamp():
        raise RequestRefused("last", "lies in the future; a backfill is for ticks that have passed")
    if asked.first.timestamp() > asked.last.timestamp():
        raise RequestRefused("last", "must not be before the first")


def _check_choices(asked: Asked) -> None:
    for field, value, known in (
        ("redo", asked.redo, Redo.values),
        ("order", asked.order, BackfillOrder.values),
    ):
        if value not in known:
            raise RequestRefused(field, f"{value!r:.80} is not one of {', '.join(known)}")
    at_once = asked.at_once
    if not isinstance(at_once, int) or isinstance(at_once, bool) or not 1 <= at_once <= MOST_AT_ONCE:
        raise RequestRefused("at_once", f"must be a number from 1 to {MOST_AT_ONCE:,}, not {at_once!r:.80}")


def _no_tick(source: Source, asked: Asked) -> str:
    if not source.schedules:
        return "the job has no ticks: it only runs after others, and is after none"
    if Ticks(source.schedules, asked.first.astimezone(UTC), asked.last.astimezone(UTC)).count():
        return "the job has no tick in this range: all lie before its start or after its end"
    return "the job has no tick in this range"


def _refuse_second(job: Job, asked: Asked) -> None:
    others = Backfill.objects.filter(job=job, finished_at=None, first__lte=asked.last, last__gte=asked.first)
    if other := others.first():
        where = f"{other.first:%Y-%m-%d %H:%M:%S} to {other.last:%Y-%m-%d %H:%M:%S} UTC"
        raise RequestRefused("first", f"the backfill {other.pk} of this job, from {where}, has not ended")


def _made(job: Job, asked: Asked, found: Range, by: str) -> Backfill:
    newest = asked.order == BackfillOrder.NEWEST
    ticks = found.ticks.backward(found.ticks.last) if newest else found.ticks.forward(found.ticks.first)
    return Backfill.objects.create(
        job=job,
        first=asked.first,
        last=asked.last,
        redo=asked.redo,
        order=asked.order,
        at_once=asked.at_once,
        why=asked.why.strip(),
        schedules=found.source.describe(),
        total=found.total,
        position=next(ticks),
        made_by=by[:LONGEST_NAME],
    )
