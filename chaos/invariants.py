"""What must be true of the ledger at every moment, asked in single statements while the system is under fault."""

from django.db import connection

from jobs.states import TERMINAL

# In each statement a row is a fault, and its text says which.
_NEVER = (
    # Two ticks of a job under way whose runs must not overlap.
    """
    SELECT 'overlap: ' || job.name || ' has ' || count(DISTINCT coalesce(run.group_id, run.id)) || ' ticks under way'
      FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
     WHERE job.overlap <> 'allow' AND run.state IN ('scheduled', 'queued', 'running') AND run.backfill_id IS NULL
     GROUP BY job.name HAVING count(DISTINCT coalesce(run.group_id, run.id)) > 1
    """,
    """
    SELECT 'limit: ' || job.name || ' has ' || count(*) || ' of ' || job.max_running
      FROM jobs_run AS run JOIN jobs_job AS job ON job.id = run.job_id
     WHERE run.limited AND run.state IN ('scheduled', 'queued', 'running')
     GROUP BY job.name, job.max_running HAVING count(*) > job.max_running
    """,
    """
    SELECT 'pool: ' || pool.name || ' has ' || count(*) || ' of ' || pool.slots
      FROM jobs_run AS run JOIN jobs_pool AS pool ON pool.id = run.pool_id
     WHERE run.limited AND run.state IN ('scheduled', 'queued', 'running')
     GROUP BY pool.name, pool.slots HAVING count(*) > pool.slots
    """,
    """
    SELECT 'deadline: run ' || id || ' is ' || state || ' without one' FROM jobs_run
     WHERE state IN ('queued', 'running') AND deadline_at IS NULL
    """,
    """
    SELECT 'tick: ' || job_id || ' at ' || scheduled_for || ' has ' || count(*) || ' rows' FROM jobs_run
     WHERE trigger NOT IN ('manual', 'retry') GROUP BY job_id, scheduled_for, shard HAVING count(*) > 1
    """,
)


def broken() -> list[str]:
    """What is not true now."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for statement in _NEVER:
            cursor.execute(statement)
            found += [text for (text,) in cursor.fetchall()]
    return found


def ended() -> dict[str, tuple[str, int]]:
    """The runs that have ended, with their states and attempts, which must never change."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, state, attempt FROM jobs_run WHERE state = ANY(%s)", [sorted(TERMINAL)])
        return {str(run_id): (state, attempt) for run_id, state, attempt in cursor.fetchall()}
