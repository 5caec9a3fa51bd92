"""What is wrong with a job's limits, asked when it is saved by a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.policies import keys

if TYPE_CHECKING:
    from jobs.models.job import Job


def limit_problems(job: Job) -> dict[str, str]:
    """What would keep the limits from doing what they say, by field."""
    if not job.key:
        return {"key_limit": "needs a key that tells the runs apart"} if job.key_limit is not None else {}
    if wrong := keys.problem_of(job.key):
        return {"key": wrong}
    if job.key_limit is None and job.pool_id is None and job.max_running is None:
        return {"key": "does nothing without a limit: give one per key, one for the job, or a pool"}
    if job.key_limit is not None and job.max_running is not None and job.key_limit > job.max_running:
        return {"key_limit": f"is never reached: at most {job.max_running:,} runs of the job run at once"}
    if lacking := keys.missing(job.key, {"args": job.args, "kwargs": job.kwargs}):
        return {"key": lacking[1]}
    return {}
