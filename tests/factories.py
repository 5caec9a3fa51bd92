"""Rows for tests, each factory one step of life further than the one before."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jobs import lease, transitions
from jobs.births import Birth, insert, new_run_id
from jobs.models import Job, Run, Worker
from jobs.states import State, Trigger
from jobs.transitions import Claim, Claimant, Ticket

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
"""The moment at which tests of the flow take place."""

_numbers = itertools.count(1)


def make_job(**fields: Any) -> Job:
    """A job as a user saves it: not yet planned."""
    fields = {
        "name": f"job {next(_numbers)}",
        "task": "probe.add",
        "args": [1, 2],
        "schedule": "* * * * *",
    } | fields
    return Job.objects.create(**fields)


def planned_job(next_run_at: datetime = NOON, **fields: Any) -> Job:
    """A job that the beat has planned: its next tick is known."""
    job = make_job(**fields)
    Job.objects.filter(pk=job.pk).update(
        planned=True,
        planned_from=next_run_at - timedelta(hours=1),
        next_run_at=next_run_at,
        planned_schedule=job.schedule,
        planned_timezone=job.timezone,
        planned_gap=job.gap,
        planned_repeated=job.repeated,
        planned_key=job.name,
        planned_limits=job.limits_in_short(),
    )
    job.refresh_from_db()
    return job


def scheduled_run(now: datetime = NOON, job: Job | None = None, **fields: Any) -> Run:
    """A run that waits to be sent; `fields` are those of a new job."""
    job = job or make_job(**fields)
    birth = Birth(new_run_id(now), job.pk, now, trigger=Trigger.MANUAL)
    insert([birth], now)
    return Run.objects.get(pk=birth.id)


def queued_run(now: datetime = NOON, job: Job | None = None, **fields: Any) -> Run:
    """A run whose message was sent."""
    run = scheduled_run(now, job, **fields)
    assert transitions.queue([ticket_of(run)], now, patience=30) == 1
    run.refresh_from_db()
    return run


def make_worker(now: datetime = NOON, name: str = "worker@test") -> Worker:
    """A worker with a fresh lease."""
    worker_id = lease.register(
        lease.Registration(name, "test", 4711, "prefork", 2, ["celery"], ["probe.add"], "celery"), now
    )
    return Worker.objects.get(pk=worker_id)


def claimant_of(worker: Worker, pid: int = 4712) -> Claimant:
    """A process of a worker."""
    return Claimant(worker.pk, worker.name, pid)


def running_run(
    now: datetime = NOON, job: Job | None = None, worker: Worker | None = None, **fields: Any
) -> tuple[Run, Claim]:
    """A run that a worker has claimed, and the claim."""
    run = queued_run(now, job, **fields)
    worker = worker or make_worker(now)
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=now)
    assert claim is not None
    run.refresh_from_db()
    return run, claim


def run_in(state: State, now: datetime = NOON) -> Run:
    """A run that has come to this state by the ordinary way."""
    if state in (State.SKIPPED, State.MISSED):
        birth = Birth(new_run_id(now), make_job().pk, now, state=state, reason="a reason")
        insert([birth], now)
        return reload(birth.id)
    if state is State.RUNNING:
        return running_run(now)[0]
    if state in (State.SUCCEEDED, State.FAILED):
        run, claim = running_run(now)
        ends = transitions.succeed if state is State.SUCCEEDED else _fail
        assert ends(claim.ticket, {}, now)
    else:
        run = queued_run(now) if state is State.QUEUED else scheduled_run(now)
    if state is State.WAITING:
        assert transitions.hold(run.pk, "paused by someone")
        assert transitions.release(run.pk)
    if state is State.HELD:
        assert transitions.hold(run.pk, "paused by someone")
    if state is State.CANCELLED:
        assert transitions.cancel(run.pk, "cancelled by someone", now)
    return reload(run)


def _fail(ticket: Ticket, changes: dict[str, Any], now: datetime) -> bool:
    return transitions.fail(ticket, [State.RUNNING], changes, now)


def ticket_of(run: Run) -> Ticket:
    """The attempt that is next, or under way."""
    return Ticket(run.pk, run.attempt)


def reload(run_id: UUID | Run) -> Run:
    """The row as it is now."""
    return Run.objects.get(pk=run_id.pk if isinstance(run_id, Run) else run_id)
