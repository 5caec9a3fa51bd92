"""Tick: give every tick that is due its row, and move each job on to its next."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from jobs.conf import conf
from jobs.database import REFUSED, first_line
from jobs.emit import DueJob, emit
from jobs.failpoints import reach
from jobs.models import Job
from jobs.querysets import JobQuerySet
from jobs.tick_rules.calendars import know_calendars

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one batch did: runs that will be sent, ticks skipped or missed (as ticks, not rows), jobs set aside."""

    fired: int = 0
    skipped: int = 0
    missed: int = 0
    set_aside: int = 0
    more: bool = False
    stopped: tuple[UUID, ...] = ()
    """Runs that were replaced, whose processes are to be stopped."""

    def __add__(self, other: "TickResult") -> "TickResult":
        return TickResult(
            self.fired + other.fired,
            self.skipped + other.skipped,
            self.missed + other.missed,
            self.set_aside + other.set_aside,
            self.more or other.more,
            self.stopped + other.stopped,
        )


def tick(now: datetime) -> TickResult:
    """Handle one batch of due jobs in one transaction.

    Rows that another beat has locked are skipped and the ledger's unique key judges the rest, so any number of
    beats may do this at once. A job that cannot be handled is set aside with its error; the others go on.
    """
    limit = conf().batch
    due = Job.objects.due(now)
    try:
        return _batch(due, now, limit)
    except REFUSED as error:
        logger.error("a batch of ticks was refused, each job is tried alone: %s", first_line(error))
    return sum((_alone(job, now) for job in due[:limit]), TickResult())


def _alone(job: Job, now: datetime) -> TickResult:
    try:
        return _batch(Job.objects.due(now).filter(pk=job.pk), now, 1)
    except REFUSED as error:
        set_aside(job, error)
        return TickResult(set_aside=1)


def _batch(query: JobQuerySet, now: datetime, limit: int) -> TickResult:
    with transaction.atomic():
        jobs = list(query.select_for_update(skip_locked=True)[:limit])
        know_calendars(jobs)
        due, broken = _readable(jobs, now)
        emitted = emit(due, now)
        _advance(emitted.upcoming)
        for job, error in (broken | emitted.broken).items():
            set_aside(job, error)
        reach("tick.before_commit")
    reach("tick.after_commit")
    failures = len(broken) + len(emitted.broken)
    more = len(jobs) == limit
    return TickResult(emitted.fired, emitted.skipped, emitted.missed, failures, more, emitted.stopped)


def _readable(jobs: Iterable[Job], now: datetime) -> tuple[list[DueJob], dict[Job, Exception]]:
    """The jobs with their schedules read, and those whose row no longer makes sense."""
    due: list[DueJob] = []
    broken: dict[Job, Exception] = {}
    for job in jobs:
        try:
            schedule = job.schedule_in_force()
        except ValueError as error:
            broken[job] = error
        else:
            until = now if job.ends_at is None else min(now, job.ends_at)
            due.append((job, schedule, job.next_run_at or now, until))
    return due, broken


_ADVANCE = """
UPDATE jobs_job AS job
   SET next_run_at = CASE WHEN job.ends_at < next.at THEN NULL ELSE next.at END
  FROM unnest(%s::bigint[], %s::timestamptz[]) AS next(id, at)
 WHERE job.id = next.id
"""


def _advance(upcoming: Mapping[int, datetime | None]) -> None:
    if upcoming:
        with connection.cursor() as cursor:
            cursor.execute(_ADVANCE, [list(upcoming), list(upcoming.values())])


def set_aside(job: Job, error: Exception) -> None:
    """Keep a job that cannot be handled from stopping the others: no ticks, and its error on its row, until an edit."""
    text = first_line(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {first_line(error)}"
    logger.error("job %r is set aside: %s", job.name, text)
    Job.objects.filter(pk=job.pk).update(next_run_at=None, planned=True, error=text)
