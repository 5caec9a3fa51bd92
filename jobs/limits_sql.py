"""The questions of the limits, as SQL: which slots are taken, who might be next, and who waits for what.

Each is one statement, and so one moment. What is read grows with the runs that hold slots and with the jobs and keys
that wait, not with the number of runs that wait.
"""

from typing import Final

from jobs.line_head import DUE, FIRST, FREE_LINE, UNSURE
from jobs.slot_reasons import BROKEN, JOB, POOL, RATE, of_key

_WAITS = "run.state = 'waiting' AND run.limited"

# The jobs with waiting runs are found by stepping through the index from one to the next.
_GATES = f"""
WITH RECURSIVE waiting(job_id) AS (
    (SELECT run.job_id FROM jobs_run AS run
      WHERE {_WAITS} AND %(jobs)s::bigint[] IS NULL ORDER BY run.job_id LIMIT 1)
     UNION ALL
    SELECT (SELECT run.job_id FROM jobs_run AS run
             WHERE {_WAITS} AND run.job_id > waiting.job_id ORDER BY run.job_id LIMIT 1)
      FROM waiting WHERE waiting.job_id IS NOT NULL),
job AS MATERIALIZED (
    -- One that was edited just now waits to be planned, which gives its runs their pool and key.
    SELECT job.id, job.pool_id, job.overlap <> 'allow' AS lined, job.max_running, job.key_limit
      FROM jobs_job AS job
     WHERE job.planned AND job.id IN (SELECT job_id FROM waiting UNION ALL SELECT unnest(%(jobs)s::bigint[]))),
stopping AS MATERIALIZED (
    SELECT stopping.id, stopping.job_id, stopping.pool_id, stopping.limit_key
      FROM jobs_worker AS worker
     CROSS JOIN LATERAL jsonb_array_elements_text(worker.executing) AS executing(id)
      JOIN jobs_run AS stopping ON stopping.id = executing.id::uuid
     WHERE stopping.state = 'cancelled' AND stopping.limited AND EXISTS (SELECT FROM job)
     UNION
    SELECT stopping.id, stopping.job_id, stopping.pool_id, stopping.limit_key
      FROM jobs_run AS stopping JOIN jobs_worker AS worker ON worker.id = stopping.worker_id
     WHERE stopping.limited AND {UNSURE} AND EXISTS (SELECT FROM job)),
held AS MATERIALIZED (
    SELECT holder.job_id, holder.pool_id, holder.limit_key, count(*) AS runs,
           count(*) FILTER (WHERE NOT holder.started) AS to_start
      FROM (SELECT run.job_id, run.pool_id, run.limit_key, run.state = 'running' AS started
              FROM jobs_run AS run
             WHERE run.limited AND run.state IN ('scheduled', 'queued', 'running') AND EXISTS (SELECT FROM job)
             UNION ALL
            SELECT job_id, pool_id, limit_key, TRUE FROM stopping) AS holder
     GROUP BY holder.job_id, holder.pool_id, holder.limit_key),
pool AS MATERIALIZED (
    SELECT pool.*, pool.slots - coalesce(sum(held.runs), 0) AS slots_left,
           -- What starts in a period is what has started in it and what may still start: no window has more.
           pool.rate - coalesce(sum(held.to_start), 0) - CASE WHEN pool.rate IS NULL THEN 0 ELSE
               (SELECT count(*) FROM jobs_run AS run
                 WHERE run.pool_id = pool.id AND run.started_at > %(now)s - pool.period * interval '1 second')
             + (SELECT count(*) FROM jobs_run AS run JOIN jobs_attempt AS attempt ON attempt.run_id = run.id
                 WHERE run.pool_id = pool.id AND run.started_at > %(now)s - pool.period * interval '1 second'
                   AND run.attempt > 1 AND attempt.started_at < run.started_at
                   AND attempt.started_at > %(now)s - pool.period * interval '1 second') END AS starts_left
      FROM jobs_pool AS pool LEFT JOIN held ON held.pool_id = pool.id
     WHERE pool.id IN (SELECT pool_id FROM job)
     GROUP BY pool.id),
gate AS MATERIALIZED (
    SELECT job.*, job.max_running - coalesce(mine.runs, 0) AS job_room, pool.ageing, pool.circuit, pool.circuit_probe,
           coalesce(least(pool.slots_left, pool.starts_left), %(limit)s) AS room
      FROM job
      LEFT JOIN pool ON pool.id = job.pool_id
      LEFT JOIN (SELECT job_id, sum(runs) AS runs FROM held GROUP BY job_id) AS mine ON mine.job_id = job.id)
"""  # noqa: S608

_OPEN = "gate.room > 0 AND coalesce(gate.job_room, 1) > 0 AND coalesce(gate.circuit, '') <> 'open'"
_HEAD = f"""
      (SELECT coalesce(run.group_id, run.id) AS tick FROM jobs_run AS run
        WHERE run.job_id = job.id AND {_WAITS} AND {DUE} AND {FREE_LINE}
        ORDER BY {FIRST} LIMIT 1)"""  # noqa: S608
_TICK = "coalesce(run.group_id, run.id)"

# Of each key as many as it could get, so that who is blocked stands before nobody. The keys are found like the jobs.
CANDIDATES: Final = f"""{_GATES},
key AS (
    SELECT gate.*, known.limit_key, gate.key_limit - coalesce(taken.runs, 0) AS key_room
      FROM gate
     CROSS JOIN LATERAL (
           WITH RECURSIVE step(limit_key) AS (
               (SELECT run.limit_key FROM jobs_run AS run
                 WHERE {_WAITS} AND run.job_id = gate.id ORDER BY run.limit_key LIMIT 1)
                UNION ALL
               SELECT (SELECT run.limit_key FROM jobs_run AS run
                        WHERE {_WAITS} AND run.job_id = gate.id AND run.limit_key > step.limit_key
                        ORDER BY run.limit_key LIMIT 1)
                 FROM step WHERE step.limit_key IS NOT NULL)
           SELECT step.limit_key FROM step WHERE step.limit_key IS NOT NULL) AS known
      LEFT JOIN (SELECT job_id, limit_key, sum(runs) AS runs FROM held GROUP BY job_id, limit_key) AS taken
             ON taken.job_id = gate.id AND taken.limit_key = known.limit_key
     WHERE {_OPEN} AND coalesce(gate.key_limit - taken.runs, 1) > 0),
candidate AS MATERIALIZED (
    SELECT job.*, first.* FROM key AS job
     CROSS JOIN LATERAL (
           SELECT run.id AS run_id, run.priority, run.due_at FROM jobs_run AS run
            WHERE run.job_id = job.id AND run.limit_key = job.limit_key AND {_WAITS} AND {DUE}
              AND (job.circuit_probe IS NULL OR run.id = job.circuit_probe)
            ORDER BY run.priority, run.due_at, run.id
            LIMIT least(job.room, job.job_room, job.key_room, %(limit)s)) AS first
     WHERE NOT job.lined
     UNION ALL
    SELECT job.*, run.id, run.priority, run.due_at
      FROM key AS job CROSS JOIN LATERAL {_HEAD} AS head
      JOIN jobs_run AS run ON run.job_id = job.id AND run.limit_key = job.limit_key AND {_TICK} = head.tick
       AND {_WAITS} AND {DUE} AND (job.circuit_probe IS NULL OR run.id = job.circuit_probe)
     WHERE job.lined),
turn AS (
    SELECT turns.*,
           coalesce((SELECT sum(held.runs) FROM held
                      WHERE held.limit_key = turns.limit_key AND held.pool_id IS NOT DISTINCT FROM turns.pool_id
                        AND (turns.job_id IS NULL OR held.job_id = turns.job_id)), 0) AS running
      FROM (SELECT DISTINCT pool_id, limit_key, CASE WHEN pool_id IS NULL OR limit_key = '' THEN id END AS job_id
              FROM candidate) AS turns)
SELECT candidate.pool_id,
       CASE candidate.circuit WHEN 'half_open' THEN 1 ELSE least(candidate.room, %(limit)s) END,
       candidate.ageing, coalesce(candidate.circuit = 'half_open' AND candidate.circuit_probe IS NULL, FALSE),
       candidate.run_id, candidate.priority, candidate.due_at, candidate.id, candidate.job_room, candidate.limit_key,
       candidate.key_room, turn.running, served.at
  FROM candidate
  JOIN turn ON turn.limit_key = candidate.limit_key AND turn.pool_id IS NOT DISTINCT FROM candidate.pool_id
           AND coalesce(turn.job_id, candidate.id) = candidate.id
  LEFT JOIN LATERAL (
       SELECT CASE WHEN turn.running > 0 THEN NULL WHEN turn.job_id IS NULL
              THEN (SELECT max(run.finished_at) FROM jobs_run AS run
                     WHERE run.pool_id = turn.pool_id AND run.limit_key = turn.limit_key AND run.limit_key <> ''
                       AND run.started_at IS NOT NULL AND run.finished_at IS NOT NULL)
              ELSE (SELECT max(run.finished_at) FROM jobs_run AS run
                     WHERE run.job_id = turn.job_id AND run.limit_key = turn.limit_key AND run.limited
                       AND run.started_at IS NOT NULL AND run.finished_at IS NOT NULL) END AS at) AS served ON TRUE
"""  # noqa: S608

_JOB_WAITS_FOR = f"""
    SELECT job.id, job.lined,
           CASE WHEN pool.circuit <> 'closed' THEN {BROKEN} WHEN pool.slots_left <= 0 THEN {POOL}
                WHEN pool.starts_left <= 0 THEN {RATE} WHEN job.job_room <= 0 THEN {JOB}
            END AS told
      FROM gate AS job LEFT JOIN pool ON pool.id = job.pool_id"""  # noqa: S608

_TOLD = """coalesce((SELECT full_key.told FROM full_key
                      WHERE full_key.job_id = job.id AND full_key.limit_key = run.limit_key), job.told)"""


def _says_other(than: str) -> str:
    """The runs of a blocked job that say what comes before, or after, what they should; found by that index."""
    return f"""
    (SELECT run.id, {_TOLD} AS told FROM jobs_run AS run
      WHERE run.job_id = job.id AND {_WAITS} AND left(run.reason, 200) {than} left(job.told, 200)
        AND {DUE} AND run.reason <> {_TOLD}
      ORDER BY run.job_id, left(run.reason, 200) LIMIT %(limit)s)"""  # noqa: S608


REASONS: Final = f"""{_GATES},
blocked AS MATERIALIZED ({_JOB_WAITS_FOR}),
full_key AS MATERIALIZED (
    SELECT job.id AS job_id, held.limit_key, {of_key("held.limit_key")} AS told
      FROM gate AS job JOIN held ON held.job_id = job.id
     GROUP BY job.id, job.key_limit, held.limit_key
    HAVING sum(held.runs) >= job.key_limit)
SELECT DISTINCT ON (id) id, told FROM (
   (SELECT other.id, other.told
      FROM blocked AS job CROSS JOIN LATERAL ({_says_other("<")} UNION ALL {_says_other(">")}) AS other
     WHERE NOT job.lined AND job.told IS NOT NULL
     LIMIT %(limit)s)
    UNION ALL
   (SELECT run.id, full_key.told
      FROM blocked AS job JOIN full_key ON full_key.job_id = job.id
      JOIN jobs_run AS run ON run.job_id = job.id AND run.limit_key = full_key.limit_key AND {_WAITS}
     WHERE NOT job.lined AND job.told IS NULL AND {DUE} AND run.reason <> full_key.told
     LIMIT %(limit)s)
    UNION ALL
   (SELECT run.id, {_TOLD}
      FROM blocked AS job CROSS JOIN LATERAL {_HEAD} AS head
      JOIN jobs_run AS run ON run.job_id = job.id AND {_TICK} = head.tick AND {_WAITS}
     WHERE job.lined AND {DUE} AND run.reason <> {_TOLD}
     LIMIT %(limit)s)) AS changed
 LIMIT %(limit)s
"""  # noqa: S608
