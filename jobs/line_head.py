"""Who is first in the lines of jobs whose runs must not overlap, and what may still be executing, as SQL."""

from typing import Final

DUE: Final = "run.state = 'waiting' AND run.due_at <= %(now)s AND run.upstream <> 'pending'"
"""A waiting run whose time has come."""

# Of a worker that has not yet shown that it executes others only: at a heartbeat after the cancel, and a second or more
# after the run had started.
UNSURE: Final = """stopping.state = 'cancelled' AND stopping.finished_at > %(now)s - %(window)s
   AND (worker.heartbeat_at <= stopping.finished_at
        OR worker.heartbeat_at <= stopping.started_at + interval '1 second')"""
"""A cancelled run, `stopping`, of which its `worker` may just be beginning or ending the process."""

# A replaced run that was in a process has stopped for certain when its worker has said so, or is gone.
# A run between two attempts keeps its place, though it has no slot meanwhile; between two such the line decides.
# A backfill's run has a place only from its admission on.
FREE_LINE: Final = f"""
    NOT EXISTS (SELECT FROM jobs_run AS earlier
                 WHERE earlier.job_id = run.job_id
                   AND (earlier.state IN ('scheduled', 'queued', 'running', 'held')
                        OR (earlier.state = 'waiting' AND earlier.attempt > 1 AND run.attempt = 1))
                   AND NOT (earlier.backfill_id IS NOT NULL AND earlier.state IN ('held', 'waiting'))
                   AND coalesce(earlier.group_id, earlier.id) <> coalesce(run.group_id, run.id))
AND NOT EXISTS (SELECT FROM jobs_worker AS worker
                 CROSS JOIN LATERAL jsonb_array_elements_text(worker.executing) AS executing(id)
                  JOIN jobs_run AS stopping ON stopping.id = executing.id::uuid
                 WHERE stopping.job_id = run.job_id AND stopping.state = 'cancelled')
AND NOT EXISTS (SELECT FROM jobs_run AS stopping JOIN jobs_worker AS worker ON worker.id = stopping.worker_id
                 WHERE stopping.job_id = run.job_id AND {UNSURE})"""  # noqa: S608
"""The way of `run` is free: no other tick's run is under way, nor may the process of a replaced one still live."""

FIRST: Final = "run.backfill_id IS NOT NULL, run.due_at, run.id"
"""The order of a line: what is due first, and the runs of a backfill after those of the schedule."""
