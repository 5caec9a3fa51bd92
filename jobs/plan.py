"""Plan: work out when a new or edited job fires next, after settling what its old schedule still owed."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from jobs import transitions
from jobs.conf import conf
from jobs.database import AWAY
from jobs.emit import emit
from jobs.models import Job
from jobs.policies.missed import MICROSECOND
from jobs.postponed import follow_calendar, with_postponed
from jobs.tick import set_aside
from jobs.tick_rules import calendars
from jobs.tick_rules.adjustments import run_early

logger = logging.getLogger(__name__)

MOST_BURSTS = 200
"""What an edit leaves owed is what was due within the grace. More than this comes from a row that makes no sense."""


@dataclass(frozen=True, slots=True)
class PlanResult:
    """How many jobs were planned."""

    planned: int = 0
    set_aside: int = 0
    more: bool = False


def plan(now: datetime) -> PlanResult:
    """Plan one batch of new and edited jobs."""
    limit = conf().batch
    planned = 0
    with transaction.atomic():
        jobs = list(Job.objects.unplanned().select_for_update(skip_locked=True)[:limit])
        calendars.know_calendars(jobs)
        early = run_early(jobs)
        postponed = with_postponed(jobs, now)
        if relimited := [job.pk for job in jobs if job.planned_limits != job.limits_in_short()]:
            transitions.relimit(relimited)
        for job in jobs:
            try:
                with transaction.atomic():
                    if job.pk in postponed:
                        follow_calendar(job, now)
                    planned += _plan_job(job, now, early.get(job.pk, ()))
            except AWAY:
                raise  # not the job's fault
            except Exception as error:  # noqa: BLE001 - one bad job must not stop the others
                set_aside(job, error)
    return PlanResult(planned, len(jobs) - planned, more=len(jobs) == limit)


def _plan_job(job: Job, now: datetime, early: Collection[datetime]) -> bool:
    """Whether the job could be planned; a schedule that is refused sets it aside."""
    _settle(job, now)
    try:
        upcoming = _first_tick(job, now, early) if job.enabled else None
    except ValueError as error:
        set_aside(job, error)  # and not by way of the rollback: what the old schedule owed keeps its rows
        return False
    Job.objects.filter(pk=job.pk).update(
        next_run_at=upcoming,
        planned=True,
        owed_until=None,
        planned_schedule=job.schedule,
        planned_timezone=job.timezone,
        planned_gap=job.gap,
        planned_repeated=job.repeated,
        planned_key=job.name,
        planned_limits=job.limits_in_short(),
        error="",
    )
    return True


def _settle(job: Job, now: datetime) -> None:
    """Give the ticks that were due before the edit their rows, by the schedule that was in force then."""
    if job.next_run_at is None or job.owed_until is None or not job.planned_schedule:
        return
    before = job.schedule_in_force()
    upcoming: datetime | None = job.next_run_at
    bursts = 0
    while upcoming is not None and upcoming <= job.owed_until:
        if bursts == MOST_BURSTS:
            raise ValueError(f"owed_until: too many ticks are due until {job.owed_until:%Y-%m-%d %H:%M:%S} UTC")
        bursts += 1
        emitted = emit([(job, before, upcoming, job.owed_until)], now)
        if job in emitted.broken:
            raise emitted.broken[job]
        upcoming = emitted.upcoming[job.pk]


def _first_tick(job: Job, now: datetime, early: Collection[datetime]) -> datetime | None:
    """The first tick after the edit that has not been run `early`, or the moment to run it before a block."""
    start = job.planned_from
    if job.starts_at is not None:
        start = max(start, job.starts_at - MICROSECOND)
    schedule = job.parsed_schedule()
    upcoming = schedule.next_after(start)
    while upcoming is not None and upcoming.astimezone(UTC) in early:
        upcoming = schedule.next_after(upcoming)
    upcoming = calendars.wake(job, schedule, upcoming, now)
    if upcoming is not None and job.ends_at is not None and upcoming > job.ends_at:
        return None
    return upcoming
