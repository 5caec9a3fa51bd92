"""Admit: let waiting runs go on whose turn has come. One run of a job at a time, the one that is due first."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from jobs import transitions
from jobs.conf import conf
from jobs.models import Job

# A replaced run that was in a process has stopped for certain when its worker has said so: at a heartbeat after the
# cancel, and a second or more after the run had started, at which it executes others only. Or when the worker is gone.
_NEXT_IN_LINE = """
SELECT DISTINCT ON (run.job_id) run.id, run.job_id
  FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
 WHERE run.state = 'waiting' AND run.due_at <= %(now)s AND (%(jobs)s::bigint[] IS NULL OR run.job_id = ANY(%(jobs)s))
   AND (job.overlap = 'allow'
        OR NOT EXISTS (SELECT FROM jobs_run AS earlier
                    WHERE earlier.job_id = run.job_id AND earlier.state IN ('scheduled', 'queued', 'running', 'held'))
       AND NOT EXISTS (SELECT FROM jobs_worker AS worker
                     CROSS JOIN LATERAL jsonb_array_elements_text(worker.executing) AS executing(id)
                     JOIN jobs_run AS stopping ON stopping.id = executing.id::uuid
                    WHERE stopping.job_id = run.job_id AND stopping.state = 'cancelled')
       AND NOT EXISTS (SELECT FROM jobs_run AS stopping JOIN jobs_worker AS worker ON worker.id = stopping.worker_id
                    WHERE stopping.job_id = run.job_id AND stopping.state = 'cancelled'
                      AND stopping.finished_at > %(now)s - %(window)s
                      AND (worker.heartbeat_at <= stopping.finished_at
                           OR worker.heartbeat_at <= stopping.started_at + interval '1 second')))
 ORDER BY run.job_id, run.due_at, run.id
 LIMIT %(limit)s
"""


def admit(now: datetime) -> int:
    """Move the first in each line whose way is free to scheduled; how many.

    The jobs' rows are locked as tick and trigger lock them, so that nobody else starts a run of theirs meanwhile.
    """
    found = _next_in_line(now, None)
    if not found:
        return 0
    with transaction.atomic():
        jobs = Job.objects.filter(pk__in=found.values()).order_by("pk").select_for_update(skip_locked=True)
        locked = list(jobs.values_list("pk", flat=True))
        return transitions.admit(list(_next_in_line(now, locked)))


def _next_in_line(now: datetime, jobs: list[int] | None) -> dict[UUID, int]:
    window = timedelta(seconds=2 * conf().lease)
    parameters: dict[str, Any] = {"now": now, "jobs": jobs, "limit": conf().batch, "window": window}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IN_LINE, parameters)
        return dict(cursor.fetchall())
