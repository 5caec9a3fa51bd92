"""Admit: let waiting runs go on whose turn has come: one tick of a job at a time, the one that is due first."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from jobs import limits, transitions
from jobs.conf import conf
from jobs.line_head import DUE, FIRST, FREE_LINE
from jobs.models import Job

# The runs of one tick go on together.
_NEXT_IN_LINE = f"""
WITH head AS (
    SELECT DISTINCT ON (run.job_id) run.job_id, coalesce(run.group_id, run.id) AS tick
      FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
     WHERE {DUE} AND NOT run.limited AND job.overlap <> 'allow'
       AND (%(jobs)s::bigint[] IS NULL OR run.job_id = ANY(%(jobs)s))
       AND {FREE_LINE}
     ORDER BY run.job_id, {FIRST}
     LIMIT %(limit)s)
SELECT run.id, run.job_id
  FROM head JOIN jobs_run AS run ON run.job_id = head.job_id AND coalesce(run.group_id, run.id) = head.tick
 WHERE {DUE} AND NOT run.limited
 UNION ALL
(SELECT run.id, run.job_id
   FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
  WHERE {DUE} AND NOT run.limited
    AND job.overlap = 'allow' AND (%(jobs)s::bigint[] IS NULL OR run.job_id = ANY(%(jobs)s))
  ORDER BY run.due_at, run.id
  LIMIT %(limit)s)
"""  # noqa: S608


def admit(now: datetime) -> int:
    """Let the runs go on whose turn has come; how many. What needs no slot only needs a free line."""
    return _admit_unlimited(now) + limits.admit(now)


def _admit_unlimited(now: datetime) -> int:
    """Move the first in each line whose way is free to scheduled; how many.

    The jobs' rows are locked as tick and trigger lock them, so that nobody else starts a run of theirs meanwhile.
    """
    found = _next_in_line(now, None)
    if not found:
        return 0
    with transaction.atomic():
        jobs = Job.objects.filter(pk__in=set(found.values())).order_by("pk").select_for_update(skip_locked=True)
        locked = list(jobs.values_list("pk", flat=True))
        return transitions.admit(list(_next_in_line(now, locked)), now)


def _next_in_line(now: datetime, jobs: list[int] | None) -> dict[UUID, int]:
    window = timedelta(seconds=2 * conf().lease)
    parameters: dict[str, Any] = {"now": now, "jobs": jobs, "limit": conf().batch, "window": window}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IN_LINE, parameters)
        return dict(cursor.fetchall())
