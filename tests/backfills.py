"""Jobs and runs for the tests of backfills."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from jobs import backfill, transitions
from jobs.backfill import Asked
from jobs.births import Birth, insert, new_run_id
from jobs.models import Backfill, Job, Run, Worker
from jobs.states import LIVE, State, Trigger
from tests.factories import NOON, claimant_of, make_worker, planned_job, reload, ticket_of

HOUR = timedelta(hours=1)


def hourly(**fields: Any) -> Job:
    """A job with a tick each hour, of which the beat has handled those up to noon."""
    return planned_job(NOON + HOUR, **{"schedule": "0 * * * *", "timezone": "UTC", "overlap": "allow"} | fields)


def hours(first: int, last: int) -> list[datetime]:
    """The ticks from so many hours before noon to so many, the oldest first."""
    return [NOON - hour * HOUR for hour in range(first, last - 1, -1)]


def asked(first: int = 5, last: int = 1, **fields: Any) -> Asked:
    """The ticks from five hours before noon to one hour before."""
    return replace(Asked(NOON - first * HOUR, NOON - last * HOUR, at_once=100, why="a test"), **fields)


def started(job: Job, first: int = 5, last: int = 1, **fields: Any) -> Backfill:
    """A backfill that the beat has not seen yet."""
    return backfill.start(job.pk, asked(first, last, **fields), "ann", NOON)


def end(run: Run, state: State, now: datetime = NOON, worker: Worker | None = None) -> Run:
    """Let the run come to this end."""
    if state is State.CANCELLED:
        assert transitions.cancel(run.pk, "cancelled by someone", now)
    else:
        claim = transitions.claim(ticket_of(run), run.task, claimant_of(worker or make_worker(now)), 40, now=now)
        assert claim is not None, reload(run).state
        if state is State.SUCCEEDED:
            assert transitions.succeed(claim.ticket, {}, now)
        elif state is State.FAILED:
            assert transitions.fail(claim.ticket, [State.RUNNING], {}, now)
    return reload(run)


def tick_row(job: Job, tick: datetime, state: State, **fields: Any) -> Run:
    """The row of a tick, in this state, made an hour before noon."""
    made = NOON - HOUR
    born = state if state in (State.SKIPPED, State.MISSED) else State.SCHEDULED
    reason = "a reason" if born is not State.SCHEDULED else ""
    birth = replace(Birth(new_run_id(made), job.pk, tick, state=born, reason=reason, due_at=made), **fields)
    assert insert([birth], made) == {birth.id}
    run = reload(birth.id)
    return run if state in (born, State.WAITING) else end(run, state, made)


def rows(job: Job, trigger: Trigger) -> list[tuple[datetime, str]]:
    """The ticks and states of the job's runs that came to be so, in the order of the ticks and shards."""
    found = job.runs.filter(trigger=trigger).order_by("scheduled_for", "shard", "id")
    return list(found.values_list("scheduled_for", "state"))


def live(job: Job) -> list[Run]:
    """The runs of its backfills that have not ended, by their ticks and shards."""
    found = job.runs.filter(state__in=sorted(LIVE), backfill__isnull=False)
    return list(found.order_by("scheduled_for", "shard"))


def finish_all(runs: Sequence[Run], state: State = State.SUCCEEDED, now: datetime = NOON) -> None:
    """Let all these runs come to this end."""
    worker = make_worker(now, name=f"worker{Worker.objects.count()}@test")
    for run in runs:
        end(run, state, now, worker)
