"""What a person may do to a job."""

from typing import Final

from jobs import control, trigger
from jobs.admin.circuit import CLOSE_CIRCUIT
from jobs.admin.operations import Operation, Operator, Told
from jobs.clock import database_now
from jobs.models import Job
from jobs.states import State


def _run_now(job: Job, _: Operator) -> Told:
    try:
        run = trigger.run_now(job.pk, database_now())
    except Job.DoesNotExist:
        return Told.lost("nothing was run, the job has been deleted")
    except trigger.RequestRefused as refused:
        return Told.lost(f"nothing was run: {refused.why}")
    if run.state == State.SKIPPED:
        return Told.partly(f"skipped, because {run.reason}", run)
    if run.state == State.WAITING:
        return Told.partly(f"a run was made; it {run.reason}", run)
    return Told.done("a run was made and starts as soon as a worker is free", run)


def _pause(job: Job, _: Operator) -> Told:
    if control.pause_job(job.pk):
        return Told.done("no more ticks from now on; runs that have begun go on")
    return Told.lost("nothing changed, it was paused already")


def _resume(job: Job, _: Operator) -> Told:
    if control.resume_job(job.pk):
        return Told.done("it makes ticks again; those of the pause are not made up for")
    return Told.lost("nothing changed, it was not paused")


JOB_OPERATIONS: Final = (
    Operation("run_now", "Run now", "trigger", _run_now, lambda _: True),
    Operation("pause", "Pause", "pause", _pause, lambda job: job.enabled),
    Operation("resume", "Resume", "pause", _resume, lambda job: not job.enabled),
    CLOSE_CIRCUIT,
)
