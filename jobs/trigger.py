"""Trigger: make a run because somebody asked for it, not because a tick was due."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from jobs.births import Birth, insert, new_run_id
from jobs.models import Job, Run
from jobs.policies import overlap
from jobs.states import State, Trigger


def run_now(job_id: int, now: datetime) -> Run:
    """Make a run of the job at once, by its overlap policy; a skipped one tells the reason.

    Raises Job.DoesNotExist.
    """
    return _make(job_id, now, Trigger.MANUAL, None)


def retry_run(run_id: UUID, now: datetime) -> Run:
    """Make a new run for the same tick as a finished one, with its arguments. The finished one stays as it is.

    Raises Run.DoesNotExist, and ValueError when the run has not ended.
    """
    old = Run.objects.get(pk=run_id)
    if old.finished_at is None:
        raise ValueError(f"run {run_id} is {old.state}; only a finished run can be retried")
    return _make(old.job_id, now, Trigger.RETRY, old)


def _make(job_id: int, now: datetime, trigger: Trigger, old: Run | None) -> Run:
    with transaction.atomic():
        # The same lock as the tick takes, so that the overlap policy holds between them.
        job = Job.objects.select_for_update().get(pk=job_id)
        live = Run.objects.live().filter(job=job).values_list("pk", flat=True).first()
        reason = overlap.reason_to_skip(job.overlap, live)
        birth = Birth(
            new_run_id(now),
            job.pk,
            old.scheduled_for if old else now,
            trigger=trigger,
            state=State.SKIPPED if reason else State.SCHEDULED,
            reason=reason,
            retry_of=old.pk if old else None,
        )
        insert([birth], now)
        return Run.objects.get(pk=birth.id)
