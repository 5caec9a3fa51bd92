"""What becomes of an attempt that cannot speak for itself: its process was killed, its worker died or stopped.

Told by the worker's parent, which saw it, or by rescue, which found it.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from jobs import transitions
from jobs.conf import conf
from jobs.models import Attempt, Run
from jobs.models.attempt import Outcome
from jobs.policies import retry
from jobs.policies.outcomes import Failed
from jobs.states import State
from jobs.transitions import Moment, Ticket

WITH_WORKERS = (State.QUEUED, State.RUNNING)
LONGEST_UNKNOWN_DELAY = 120.0
TIME_LIMIT = frozenset({"TimeLimitExceeded", "SoftTimeLimitExceeded"})
"""By which names a job may speak of attempts that ran out of time."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells of an attempt: a worker, and the process of it that has ended, where one is known.

    What it held may have been a doubled message, of an attempt that another process executes.
    """

    worker_id: UUID
    pid: int | None = None

    def may_speak(self) -> Q:
        """The attempts of which it knows: those that nobody executes yet, and its own."""
        own = Q(worker_id=self.worker_id) if self.pid is None else Q(worker_id=self.worker_id, pid=self.pid)
        return Q(state=State.QUEUED) | own


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows a loss: fail with `failure`, or another attempt after `delay` seconds; and what else to write."""

    outcome: Outcome
    error: str
    reason: str
    delay: float | None
    changes: dict[str, object]


def lose(ticket: Ticket, error: str, now: Moment = None, *, delay: float = 0.0, by: Teller | None = None) -> bool:
    """The attempt's process or worker died. It costs no retry; the third time the run is set aside as poison."""
    with transaction.atomic():
        run = _lock(ticket, by)
        return run is not None and _write(run, _lost(run, error, delay), now)


def give_back(ticket: Ticket, reason: str, now: Moment = None, *, by: Teller | None = None) -> bool:
    """The attempt's worker stops before its end: another attempt at once, at no cost."""
    with transaction.atomic():
        run = _lock(ticket, by)
        return run is not None and _write(run, Verdict(Outcome.GIVEN_BACK, reason, reason, 0.0, {}), now)


def unknown_task(ticket: Ticket, worker_name: str, now: Moment = None, *, by: Teller | None = None) -> bool:
    """The worker does not know the run's task, as during a deploy: tried again, ever more rarely, then failed."""
    with transaction.atomic():
        run = _lock(ticket, by)
        return run is not None and _write(run, _unknown(run, worker_name), now)


def time_out(ticket: Ticket, error: str, now: Moment = None, *, delay: float = 0.0, by: Teller | None = None) -> bool:
    """The attempt was killed at its hard limit: its retry policy decides. `delay` is the least wait."""
    with transaction.atomic():
        run = _lock(ticket, by)
        return run is not None and _write(run, _timed_out(run, error, delay), now)


def _lock(ticket: Ticket, by: Teller | None) -> Run | None:
    attempts = Run.objects.filter(pk=ticket.run_id, attempt=ticket.attempt, state__in=WITH_WORKERS)
    if by is not None:
        attempts = attempts.filter(by.may_speak())
    return attempts.select_related("job").select_for_update(of=("self",)).first()


def _lost(run: Run, error: str, delay: float) -> Verdict:
    losses = run.losses + 1
    if losses >= conf().max_losses:
        reason = f"poison: set aside after it was lost {losses} times with the process that ran it"
        changes: dict[str, object] = {"losses": losses, "error": error, "error_classes": None}
        return Verdict(Outcome.LOST, error, reason, None, changes)
    return Verdict(Outcome.LOST, error, f"attempt {run.attempt} was lost: {error}", delay, {"losses": losses})


def _unknown(run: Run, worker_name: str) -> Verdict:
    met = Attempt.objects.filter(run=run, outcome=Outcome.UNKNOWN_TASK).count() + 1
    error = f"worker {worker_name} does not know the task {run.task!r}"
    if met >= conf().max_unknown:
        changes: dict[str, object] = {"error": error, "error_classes": None}
        return Verdict(Outcome.UNKNOWN_TASK, error, f"no worker knew its task {met} times", None, changes)
    return Verdict(Outcome.UNKNOWN_TASK, error, error, min(2.0**met, LONGEST_UNKNOWN_DELAY), {})


def _timed_out(run: Run, error: str, least: float) -> Verdict:
    failure = Failed(error, timed_out=True, classes=TIME_LIMIT)
    decision = retry.decide(rules_of(run), run.retries, failure, random.random)
    changes = {"error": error, "traceback": "", "retries": run.retries + 1, "error_classes": sorted(TIME_LIMIT)}
    if isinstance(decision, retry.GiveUp):
        return Verdict(Outcome.TIMED_OUT, error, decision.reason, None, changes)
    delay = max(least, decision.delay)
    return Verdict(Outcome.TIMED_OUT, error, f"retry {run.retries + 1} after {delay:.1f} s", delay, changes)


def rules_of(run: Run) -> retry.RetryRules:
    """The retry policy of the run's job."""
    job = run.job
    return retry.RetryRules(
        kind=job.retry_policy,
        max_retries=job.max_retries,
        delay=job.retry_delay,
        cap=job.retry_cap,
        jitter=job.retry_jitter,
        never=retry.class_names(job.never_retry),
        only=retry.class_names(job.only_retry),
    )


def _write(run: Run, verdict: Verdict, now: Moment) -> bool:
    ticket = Ticket(run.pk, run.attempt)
    changes = {"reason": verdict.reason, **verdict.changes}
    if verdict.delay is None:
        won = transitions.fail(ticket, WITH_WORKERS, changes, now)
    else:
        won = transitions.try_again(ticket, WITH_WORKERS, verdict.delay, changes, now)
    if won:
        _record(run, verdict, now)
    return won


def _record(run: Run, verdict: Verdict, now: Moment) -> None:
    started = run.state == State.RUNNING
    Attempt.objects.create(
        run=run,
        number=run.attempt,
        outcome=verdict.outcome,
        error=verdict.error,
        worker_name=run.worker_name if started else "",
        pid=run.pid if started else None,
        started_at=run.started_at if started else None,
        finished_at=transitions.moment(now),
    )


def deadline_passed(run: Run, now: datetime) -> bool:
    """Rescue found the run past its deadline on a living worker that did not enforce the hard limit."""
    # The worker kills what no longer belongs to it when two heartbeats in a row have found it so; a lease has room for
    # one of them to fail, and who cannot renew that kills everything.
    error = f"no outcome by its deadline of {run.deadline_at:%Y-%m-%d %H:%M:%S} UTC"
    return time_out(Ticket(run.pk, run.attempt), error, now, delay=conf().lease)
