"""Postponed runs: when a calendar or its job is edited, those that wait for the end of a block follow it."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Case, F, Value, When

from jobs.models import Job, Run
from jobs.policies import on_calendar
from jobs.policies.jitter import delay_of
from jobs.querysets import RunQuerySet
from jobs.states import State, Trigger


def with_postponed(jobs: Iterable[Job], now: datetime) -> set[int]:
    """Which of these jobs have a calendar, and runs that wait for the end of a block."""
    with_calendar = [job.pk for job in jobs if job.calendar_id is not None]
    if not with_calendar:
        return set()
    return set(_postponed(now).filter(job__in=with_calendar).values_list("job_id", flat=True))


def follow_calendar(job: Job, now: datetime) -> int:
    """Have the job's postponed runs due when its calendar, as it is now, lets them go; how many are due otherwise now.

    At the end of what blocks now, and at once where nothing does any more; where that has no end they stay. The job's
    row is locked.
    """
    calendar = job.work_calendar()
    due_at = now if calendar is None else on_calendar.let_go(calendar, now, delay_of(job.name, job.jitter))
    if due_at is None:
        return 0
    expires_at = Case(When(expires_at__isnull=False, then=F("expires_at") + (Value(due_at) - F("due_at"))))
    return _postponed(now).filter(job=job).exclude(due_at=due_at).update(due_at=due_at, expires_at=expires_at)


def _postponed(now: datetime) -> RunQuerySet:
    """Those that a calendar alone has moved: what a person has decided for a tick comes first in its note."""
    return Run.objects.exclude(note="").filter(
        trigger=Trigger.SCHEDULE,
        state__in=(State.SCHEDULED, State.WAITING),
        attempt=1,
        due_at__gt=now,
        note__startswith=on_calendar.POSTPONED,
    )
