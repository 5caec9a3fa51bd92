"""What is written on runs for their limits: what they wait for, and by which limits they go."""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from django.db import connection

from jobs.models import Run
from jobs.slot_reasons import filled_in
from jobs.states import LIVE, State

_TELL: Final = """
UPDATE jobs_run AS run SET reason = told.reason
  FROM unnest(%s::uuid[], %s::text[]) AS told(id, reason)
 WHERE run.id = told.id AND run.state = 'waiting' AND run.limited
"""


def tell(reasons: Mapping[UUID, str]) -> int:
    """Write what runs wait for that wait for a slot; how many still did."""
    with connection.cursor() as cursor:
        cursor.execute(_TELL, [[str(run_id) for run_id in reasons], list(reasons.values())])
        return int(cursor.rowcount)


# A key is kept once it is made, because the arguments may have changed since.
_RELIMIT: Final = f"""
UPDATE jobs_run AS run SET limited = rules.limited, pool_id = rules.pool_id, limit_key = rules.limit_key
  FROM (SELECT live.id, job.pool_id, coalesce(job.pool_id, job.max_running, job.key_limit) IS NOT NULL AS limited,
               CASE WHEN job.key = '' THEN ''
                    ELSE coalesce(nullif(live.limit_key, ''), {filled_in("job.key", "live.args", "live.kwargs")})
                END AS limit_key, live.limited AS was
          FROM jobs_job AS job JOIN jobs_run AS live ON live.job_id = job.id
         WHERE job.id = ANY(%s) AND live.state = ANY(%s)) AS rules
 WHERE run.id = rules.id
   AND (run.limited, run.pool_id, run.limit_key) IS DISTINCT FROM (rules.limited, rules.pool_id, rules.limit_key)
RETURNING run.id, run.state, run.limited AND NOT rules.was
"""  # noqa: S608


def relimit(job_ids: Collection[int]) -> None:
    """Give the live runs of these jobs, whose rows the caller has locked, the limits that the jobs have now.

    What was not sent yet, and had no need of a slot before, now waits for one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RELIMIT, [list(job_ids), sorted(LIVE)])
        step_back([run_id for run_id, state, newly in cursor.fetchall() if newly and state == State.SCHEDULED])


def step_back(run_ids: Collection[UUID]) -> int:
    """scheduled → waiting: they have come to need a slot before they are sent."""
    unsent = Run.objects.filter(pk__in=run_ids, state=State.SCHEDULED)
    return unsent.update(state=State.WAITING, reason="waits for a slot") if run_ids else 0
