"""Plan: work out when a new or edited job fires next, after settling what its old schedule still owed."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from jobs.conf import conf
from jobs.database import AWAY
from jobs.emit import emit
from jobs.models import Job
from jobs.policies.missed import MICROSECOND
from jobs.tick import set_aside

logger = logging.getLogger(__name__)


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
        for job in jobs:
            try:
                with transaction.atomic():
                    planned += _plan_job(job, now)
            except AWAY:
                raise  # not the job's fault
            except Exception as error:  # noqa: BLE001 - one bad job must not stop the others
                set_aside(job, error)
    return PlanResult(planned, len(jobs) - planned, more=len(jobs) == limit)


def _plan_job(job: Job, now: datetime) -> bool:
    """Whether the job could be planned; a schedule that is refused sets it aside."""
    _settle(job, now)
    try:
        upcoming = _first_tick(job) if job.enabled else None
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
        error="",
    )
    return True


def _settle(job: Job, now: datetime) -> None:
    """Give the ticks that were due before the edit their rows, by the schedule that was in force then."""
    if job.next_run_at is None or job.owed_until is None or not job.planned_schedule:
        return
    before = job.schedule_in_force()
    upcoming: datetime | None = job.next_run_at
    while upcoming is not None and upcoming <= job.owed_until:
        upcoming = emit([(job, before, upcoming, job.owed_until)], now).upcoming[job.pk]


def _first_tick(job: Job) -> datetime | None:
    start = job.planned_from
    if job.starts_at is not None:
        start = max(start, job.starts_at - MICROSECOND)
    upcoming = job.parsed_schedule().next_after(start)
    if upcoming is not None and job.ends_at is not None and upcoming > job.ends_at:
        return None
    return upcoming
