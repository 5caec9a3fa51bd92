"""Load spreading: each job has its own fixed delay within its jitter, the same after every restart."""

from dataclasses import replace

from jobs.births import Birth
from jobs.models import Job
from jobs.policies.jitter import delay_of


def spread(job: Job, birth: Birth) -> Birth:
    """The run, due later by the job's delay; one that somebody or something has moved stays where it is."""
    if not job.jitter or birth.due_at is not None:
        return birth
    return replace(birth, due_at=birth.scheduled_for + delay_of(job.name, job.jitter))
