"""Finish: write an attempt's outcome, at most once and only for the attempt that owns the run."""

import logging
import random
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from jobs import transitions
from jobs.database import persist
from jobs.models import Attempt, Run
from jobs.models.attempt import Outcome as AttemptOutcome
from jobs.policies import retry
from jobs.policies.outcomes import Failed, Outcome, Succeeded
from jobs.policies.templates import literal
from jobs.states import State
from jobs.storable import shorten, storable
from jobs.transitions import Claim, Moment

logger = logging.getLogger(__name__)

DICE = random.SystemRandom()
"""Not the generator that tasks use: one of them may have seeded it, and then all retries would come at once."""
FINISH_PATIENCE = 300.0
"""Seconds an outcome waits for the database, where no lease's end comes first."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of the run; `delay` is the wait before the next attempt. `won` is False for a zombie's outcome."""

    state: State
    won: bool
    delay: float | None = None
    reason: str = ""


def finish(claim: Claim, outcome: Outcome, now: Moment = None) -> Conclusion:
    """Write the outcome of the attempt that `claim` stands for, and say what became of the run."""
    decided = _success(outcome) if isinstance(outcome, Succeeded) else _failure(claim, outcome)
    conclusion = persist(lambda again: decided.write(claim, now, again), FINISH_PATIENCE)
    if not conclusion.won:
        logger.warning(
            "run %s: attempt %s no longer owns it, its outcome (%s) is dropped",
            claim.ticket.run_id,
            claim.ticket.attempt,
            conclusion.state,
        )
    return conclusion


@dataclass(frozen=True, slots=True)
class _Success:
    changes: dict[str, Any]

    def write(self, claim: Claim, now: Moment, again: bool) -> Conclusion:
        won = transitions.succeed(claim.ticket, self.changes, now) or (again and self._was_ours(claim))
        return Conclusion(State.SUCCEEDED, won)

    def _was_ours(self, claim: Claim) -> bool:
        return Run.objects.filter(
            pk=claim.ticket.run_id,
            state=State.SUCCEEDED,
            attempt=claim.ticket.attempt,
            worker_id=claim.claimant.worker_id,
            pid=claim.claimant.pid,
        ).exists()


@dataclass(frozen=True, slots=True)
class _Failure:
    failed: Failed
    decision: retry.RetryIn | retry.GiveUp
    retries: int

    def write(self, claim: Claim, now: Moment, again: bool) -> Conclusion:
        with transaction.atomic():
            won = self._move(claim, now)
            if won:
                record_attempt(claim, _kind(self.failed), self.failed, now)
        won = won or (again and self._was_ours(claim))
        if isinstance(self.decision, retry.RetryIn):
            return Conclusion(State.SCHEDULED, won, self.decision.delay)
        return Conclusion(State.FAILED, won, reason=self.decision.reason)

    def _move(self, claim: Claim, now: Moment) -> bool:
        told = {
            "error": shorten(self.failed.error),
            "traceback": shorten(self.failed.traceback, keep_end=True),
            "retries": self.retries + 1,
            "error_classes": sorted(self.failed.classes),
        }
        if isinstance(self.decision, retry.GiveUp):
            return transitions.fail(claim.ticket, [State.RUNNING], told | {"reason": self.decision.reason}, now)
        told |= {"reason": f"retry {self.retries + 1} after {self.decision.delay:.1f} s"} | _new_arguments(
            claim, self.failed
        )
        return transitions.try_again(claim.ticket, [State.RUNNING], self.decision.delay, told, now)

    def _was_ours(self, claim: Claim) -> bool:
        return Attempt.objects.filter(
            run_id=claim.ticket.run_id, number=claim.ticket.attempt, pid=claim.claimant.pid
        ).exists()


def _success(outcome: Succeeded) -> _Success:
    result, note = storable(outcome.result)
    reason = "; ".join(filter(None, (outcome.reason, note)))
    return _Success({"result": result, "reason": reason})


def _failure(claim: Claim, failed: Failed) -> _Failure:
    return _Failure(failed, retry.decide(claim.rules, claim.retries, failed, DICE.random), claim.retries)


def _kind(failed: Failed) -> AttemptOutcome:
    return AttemptOutcome.TIMED_OUT if failed.timed_out else AttemptOutcome.FAILED


def _new_arguments(claim: Claim, failed: Failed) -> dict[str, Any]:
    asked = {"args": failed.new_args, "kwargs": failed.new_kwargs}
    given = {name: value for name, value in asked.items() if value is not None}
    # What a task asks for is meant as it is, but in a templated run the next attempt fills it in.
    return {name: literal(value) for name, value in given.items()} if claim.templated else given


def record_attempt(claim: Claim, outcome: AttemptOutcome, failed: Failed, now: Moment) -> None:
    """Keep the row of an attempt that did not succeed."""
    Attempt.objects.create(
        run_id=claim.ticket.run_id,
        number=claim.ticket.attempt,
        outcome=outcome,
        error=shorten(failed.error),
        traceback=shorten(failed.traceback, keep_end=True),
        worker_name=claim.claimant.worker_name,
        pid=claim.claimant.pid,
        started_at=claim.started_at,
        finished_at=transitions.moment(now),
    )
