"""What a person may do to a run."""

from typing import Final

from jobs import control, trigger
from jobs.admin.operations import Operation, Operator, Told
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import LIVE, TERMINAL, State

WAITING = (State.SCHEDULED, State.WAITING, State.QUEUED)


def _retry(run: Run, _: Operator) -> Told:
    try:
        new = trigger.retry_run(run.pk, database_now())
    except (Run.DoesNotExist, Job.DoesNotExist):
        return Told.lost("nothing was run, the run has been deleted")
    except ValueError:
        return _too_late(run, "only a run that has ended can be retried")
    if new.state == State.SKIPPED:
        return Told.partly(f"the new run was skipped, because {new.reason}", new)
    return Told.done("a new run for the same time was made; this one stays as it is", new)


def _cancel(run: Run, operator: Operator) -> Told:
    if not control.cancel_run(run.pk, operator.name, operator.revoke):
        return _too_late(run, "only a run that has not ended can be cancelled")
    if operator.revoke.away:
        return Told.partly(
            "cancelled; the broker is away, so a worker that is executing it learns it at its next heartbeat"
        )
    return Told.done("cancelled")


def _pause(run: Run, operator: Operator) -> Told:
    if control.pause_run(run.pk, operator.name):
        return Told.done("held; it waits to be resumed")
    return _too_late(run, "only a run that waits to be started can be paused")


def _resume(run: Run, _: Operator) -> Told:
    if control.resume_run(run.pk):
        return Told.done("it goes on; it is due when it was before")
    return _too_late(run, "only a paused run can be resumed")


def _too_late(run: Run, rule: str) -> Told:
    state = Run.objects.filter(pk=run.pk).values_list("state", flat=True).first()
    return Told.lost(f"nothing changed, it is {state or 'deleted'}; {rule}")


CANCEL_QUESTION: Final = "A task that is running is stopped in the middle of what it is doing. Cancel this run?"

RUN_OPERATIONS: Final = (
    Operation("retry", "Retry", "operate", _retry, lambda run: run.state in TERMINAL),
    Operation("pause", "Pause", "operate", _pause, lambda run: run.state in WAITING),
    Operation("resume", "Resume", "operate", _resume, lambda run: run.state == State.HELD),
    Operation("cancel", "Cancel", "operate", _cancel, lambda run: run.state in LIVE, CANCEL_QUESTION),
)
