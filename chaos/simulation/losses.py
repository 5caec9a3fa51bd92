"""What becomes of an attempt that cannot speak for itself, as in jobs.losses."""

from typing import Any

from chaos.simulation.database import Database
from chaos.simulation.pace import MAX_LOSSES
from chaos.simulation.rows import Run
from jobs.policies import retry
from jobs.policies.outcomes import Failed
from jobs.states import State

HUNG = Failed("killed at its hard limit", timed_out=True)


def lost(run: Run, now: int) -> tuple[State, dict[str, Any]]:
    """The process or worker died: no retry is used up, and the third time the run is set aside."""
    changes = {"losses": run.losses + 1}
    if run.losses + 1 >= MAX_LOSSES:
        return State.FAILED, changes
    return again(run, 0, now, changes)


def failed(database: Database, run: Run, failure: Failed) -> tuple[State, dict[str, Any]]:
    """The task failed: its retry policy decides."""
    decision = retry.decide(run.job.spec.retry, run.retries, failure, database.engine.chance)
    changes = {"retries": run.retries + 1}
    if isinstance(decision, retry.GiveUp):
        return State.FAILED, changes
    return again(run, int(decision.delay * 1000), database.now(), changes)


def again(run: Run, delay: int, now: int, changes: dict[str, Any]) -> tuple[State, dict[str, Any]]:
    """Another attempt, which a limited run waits for."""
    next_one = {"attempt": run.attempt + 1, "due_at": now + delay, "deadline_at": None, "expires_at": None}
    return (State.WAITING if run.limited else State.SCHEDULED), next_one | changes
