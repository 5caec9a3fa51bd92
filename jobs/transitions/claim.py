"""The claim: how a process comes to own a run, and all that executing it needs, in one statement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from jobs import schedules
from jobs.models import Calendar
from jobs.policies.retry import RetryRules, class_names

Moment = datetime | None
"""A moment, or None for the database's own clock at the statement, which saves a question for each run."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which attempt of which run a message asks for."""

    run_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a worker, and the process (or thread) of it that will execute."""

    worker_id: UUID
    worker_name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this process owns until it finishes it, with all that executing it needs."""

    ticket: Ticket
    claimant: Claimant
    job_id: int
    job_name: str
    scheduled_for: datetime
    shard: int
    shards: int
    interval_start: datetime | None
    """Where its data interval begins, if not at the tick before by the job's own schedule."""
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    templated: bool
    """Whether `args` and `kwargs` are templates."""
    retries: int
    rules: RetryRules
    checkpoint: dict[str, Any] | None
    """What an earlier attempt has kept for this one."""
    started_at: datetime
    planned: tuple[str, ...]
    """The job's schedule, as the beat goes by it: text, zone, key, and what becomes of skipped and repeated hours."""
    calendar_id: int | None = None

    def schedule(self) -> schedules.Schedule:
        """The job's schedule; ValueError when it is wrong, and so has no ticks.

        The calendar is read where it has business days.
        """
        text, timezone, key, gap, repeated = self.planned
        calendar = None
        if self.calendar_id is not None and schedules.has_business_days(text):
            calendar = Calendar.objects.light().get(pk=self.calendar_id).value()
        return schedules.parse(text, timezone, key=key, gap=gap, repeated=repeated, calendar=calendar)


_RETURNED: Final[Mapping[str, str]] = {
    "job_id": "run.job_id",
    "job_name": "job.name",
    "scheduled_for": "run.scheduled_for",
    "shard": "run.shard",
    "shards": "run.shards",
    "interval_start": "run.interval_start",
    "task": "run.task",
    "args": "run.args::text",
    "kwargs": "run.kwargs::text",
    "templated": "run.templated",
    "retries": "run.retries",
    "checkpoint": "run.checkpoint::text",
    "started_at": "run.started_at",
    "calendar_id": "job.calendar_id",
}
_RULES: Final[Mapping[str, str]] = {
    "kind": "job.retry_policy",
    "max_retries": "job.max_retries",
    "delay": "job.retry_delay",
    "cap": "job.retry_cap",
    "jitter": "job.retry_jitter",
    "never": "job.never_retry",
    "only": "job.only_retry",
}
_PLANNED: Final = (
    "coalesce(nullif(job.planned_schedule, ''), job.schedule)",
    "coalesce(nullif(job.planned_timezone, ''), job.timezone)",
    "coalesce(nullif(job.planned_key, ''), job.name)",
    "coalesce(nullif(job.planned_gap, ''), job.gap)",
    "coalesce(nullif(job.planned_repeated, ''), job.repeated)",
)

# The claim may come before the beat has marked the run queued, hence both states. The worker's row must be alive:
# a worker that was declared dead starts nothing more. `again` lets a claim whose answer was lost find its own effect.
# Only the expressions above are put into the text.
_CLAIM = f"""
UPDATE jobs_run AS run
   SET state = 'running', started_at = clock.now, queued_at = coalesce(run.queued_at, clock.now),
       deadline_at = clock.now + run.timeout * interval '1 second' + %(beyond)s,
       lateness = coalesce(run.lateness, clock.now - run.scheduled_for),
       worker_id = worker.id, worker_name = worker.name, pid = %(pid)s, progress = NULL, progress_message = ''
  FROM jobs_job AS job, jobs_worker AS worker,
       (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS clock
 WHERE run.id = %(run_id)s AND run.attempt = %(attempt)s AND run.task = %(task)s AND job.id = run.job_id
   AND worker.id = %(worker_id)s AND worker.lease_until > clock.now
   AND (run.expires_at IS NULL OR run.expires_at >= clock.now)
   AND (run.state IN ('scheduled', 'queued')
        OR (%(again)s AND run.state = 'running' AND run.worker_id = worker.id AND run.pid = %(pid)s))
RETURNING {", ".join((*_RETURNED.values(), *_RULES.values(), *_PLANNED))}
"""  # noqa: S608


def claim(
    ticket: Ticket, task: str, claimant: Claimant, beyond: float, *, now: Moment = None, again: bool = False
) -> Claim | None:
    """scheduled or queued → running, for one attempt; None when it lost.

    `task` is what the message would execute: a forged message cannot give a run's arguments to another task.
    `beyond` is how many seconds after the timeout the run's deadline lies.
    """
    parameters: dict[str, Any] = {
        "run_id": str(ticket.run_id),
        "attempt": ticket.attempt,
        "task": task,
        "worker_id": str(claimant.worker_id),
        "pid": claimant.pid,
        "beyond": timedelta(seconds=beyond),
        "now": now,
        "again": again,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        row = cursor.fetchone()
    return _claim_of(ticket, claimant, row) if row else None


def _claim_of(ticket: Ticket, claimant: Claimant, row: tuple[Any, ...]) -> Claim:
    values = iter(row)
    run = {name: next(values) for name in _RETURNED}
    rules = {name: next(values) for name in _RULES}
    for name in ("args", "kwargs", "checkpoint"):
        run[name] = None if run[name] is None else json.loads(run[name])
    for name in ("never", "only"):
        rules[name] = class_names(rules[name])
    return Claim(ticket=ticket, claimant=claimant, rules=RetryRules(**rules), planned=tuple(values), **run)
