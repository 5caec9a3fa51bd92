"""What is wrong with a job, asked when it is saved by a form: a sentence for each field."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from jobs.models.choices import Missed, Overlap
from jobs.models.validate_breaker import breaker_problems
from jobs.models.validate_jitter import jitter_problems
from jobs.models.validate_limits import limit_problems
from jobs.models.validate_upstreams import upstream_problems
from jobs.policies.missed import MICROSECOND
from jobs.policies.retry import no_class_names
from jobs.policies.templates import TemplateError, Tick, render
from jobs.policies.upstream import runs_after_others
from jobs.schedules import Schedule

if TYPE_CHECKING:
    from jobs.models.job import Job

SCHEDULE_PARTS = {"time zone": "timezone", "gap": "gap", "repeated": "repeated", "calendar": "calendar"}
"""The fields of the parts that a refused schedule may name, other than its text."""
NO_RUN = str(UUID(int=0))


def problems_of(job: Job) -> dict[str, str]:
    """What would keep the job from ever running, or its policies from making sense, by field."""
    problems = _schedule_problems(job)
    readable = not problems
    if job.starts_at and job.ends_at and job.starts_at >= job.ends_at:
        problems["ends_at"] = "must be after the start"
    if not job.task.strip():
        problems["task"] = "the name of a Celery task is needed"
    if job.templated and readable:
        arguments = {"args": job.args, "kwargs": job.kwargs}
        problems |= template_errors(arguments, job.name, job.parsed_schedule(), job.starts_at)
    if job.jitter and readable:
        schedule = job.parsed_schedule()
        problems |= jitter_problems(job.jitter, schedule, _next_tick(schedule, job.starts_at) - MICROSECOND)
    if job.missed == Missed.ALL and job.overlap not in (Overlap.ALLOW, Overlap.QUEUE_ALL):
        problems["missed"] = "to run them all, the overlap policy must let runs overlap, or all of them wait"
    return upstream_problems(job) | problems | _retry_problems(job) | breaker_problems(job) | limit_problems(job)


def _schedule_problems(job: Job) -> dict[str, str]:
    try:
        job.parsed_schedule()
    except ValueError as error:
        return {SCHEDULE_PARTS.get(str(error).partition(":")[0], "schedule"): str(error)}
    return {}


def _retry_problems(job: Job) -> dict[str, str]:
    problems = {}
    for field, text in (("never_retry", job.never_retry), ("only_retry", job.only_retry)):
        if wrong := no_class_names(text):
            problems[field] = f"{', '.join(wrong)}: not the name of an exception's class"
    if job.never_retry.strip() and job.only_retry.strip():
        problems["only_retry"] = "cannot be combined with exceptions that are never retried"
    return problems


def template_errors(
    arguments: dict[str, Any], job: str, schedule: Schedule, starts_at: datetime | None
) -> dict[str, str]:
    """What is wrong with the templates in `arguments`, a value by its field, when the job's next tick fills them in.

    The clock is the database's. A job that has no further tick is tried as if somebody ran it by hand.
    """
    tick = Tick(_next_tick(schedule, starts_at), lambda: schedule, attempt=1, shard=0, job=job, run=NO_RUN)
    if runs_after_others(schedule.text):
        # Its ticks come from its upstreams, and so do their data intervals.
        tick = replace(tick, interval_start=tick.scheduled_for - timedelta(days=1))
    errors = {}
    for field, value in arguments.items():
        try:
            render(field, value, tick)
        except TemplateError as error:
            errors[field] = str(error)
    return errors


def _next_tick(schedule: Schedule, starts_at: datetime | None) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(clock_timestamp(), %s::timestamptz - interval '1 microsecond')", [starts_at])
        after: datetime = cursor.fetchone()[0]
    return schedule.next_after(after) or after
