"""What people do to jobs and runs: pause, resume, cancel. Each is durable before anything else is told."""

from collections.abc import Callable
from uuid import UUID

from jobs import transitions
from jobs.models import Job, Run

Revoke = Callable[[UUID], None]
"""Asks the workers to stop a run at once. It may fail or reach nobody: the row decides, this only hastens."""


def pause_job(job_id: int) -> bool:
    """Make no more ticks of the job; True when it was not paused before. Its live runs go on."""
    return Job.objects.filter(pk=job_id, enabled=True).update(enabled=False) == 1


def resume_job(job_id: int) -> bool:
    """Make ticks again, from now on; those of the pause are not made up for."""
    return Job.objects.filter(pk=job_id, enabled=False).update(enabled=True) == 1


def pause_run(run_id: UUID, by: str) -> bool:
    """Hold a run that has not started."""
    return transitions.hold(run_id, f"paused by {by}")


def resume_run(run_id: UUID) -> bool:
    """Let a held run go on."""
    return transitions.release(run_id)


def cancel_run(run_id: UUID, by: str, revoke: Revoke) -> bool:
    """Cancel a live run: first in the ledger, where a worker that is away will find it, then in the process."""
    was_running = Run.objects.filter(pk=run_id, worker_id__isnull=False).exists()
    if not transitions.cancel(run_id, f"cancelled by {by}"):
        return False
    if was_running:
        revoke(run_id)
    return True
