"""A job's line as the product keeps it, on simulated rows; and whose turn it is."""

from datetime import datetime, timedelta
from uuid import UUID

from chaos.simulation.database import Database
from chaos.simulation.pace import LEASE
from chaos.simulation.rows import Job, Run
from jobs.line import Line
from jobs.models.choices import Overlap
from jobs.policies.turns import Candidate, choose
from jobs.states import State

HOLDING = (State.SCHEDULED, State.QUEUED, State.RUNNING)
AGEING = 300


def line_of(job: Job) -> Line:
    """The live runs of a job, the oldest first, in the product's own shape."""
    line = Line(job.spec.overlap)
    if job.spec.overlap.kind != Overlap.ALLOW:
        for run in sorted(job.live.values(), key=Run.order):
            between = run.state is State.WAITING and run.attempt > 1
            line.groups[run.id] = {run.id: State.SCHEDULED if between else run.state}
    return line


def turns(database: Database, now: int, epoch: datetime) -> list[Run]:
    """The waiting runs that may go on."""
    due = [run for run in database.live.values() if run.state is State.WAITING and run.due_at <= now]
    if not due:
        return []
    heads: dict[str, Run] = {}
    loose: list[Run] = []
    for run in sorted(due, key=Run.order):
        if run.job.spec.overlap.kind == Overlap.ALLOW:
            loose.append(run)
        elif run.job.spec.name not in heads and _is_free(database, run, now):
            heads[run.job.spec.name] = run
    able = [*heads.values(), *loose]
    return [run for run in able if not run.limited] + _with_slots(database, able, now, epoch)


def _with_slots(database: Database, able: list[Run], now: int, epoch: datetime) -> list[Run]:
    limited = [run for run in able if run.limited]
    if not limited:
        return []
    room = database.pool.slots - sum(run.limited and run.state in HOLDING for run in database.live.values())
    room -= len({run.number for job in database.jobs if job.spec.limited for run in _stopping(database, job, now)})
    by_id: dict[UUID, Run] = {run.id: run for run in limited}
    candidates = [
        Candidate(
            run_id=run.id,
            priority=5,
            due_at=epoch + timedelta(milliseconds=run.due_at),
            turn_of=("key", run.job.spec.name, ""),
            running=sum(one.state in HOLDING for one in run.job.live.values()),
            served_at=None,
            job=database.jobs.index(run.job),
            job_room=None,
            key="",
            key_room=None,
        )
        for run in limited
    ]
    chosen = choose(candidates, max(0, room), AGEING, epoch + timedelta(milliseconds=now))
    return [by_id[one] for one in chosen]


def _is_free(database: Database, run: Run, now: int) -> bool:
    """jobs.line_head.FREE_LINE."""
    for earlier in run.job.live.values():
        if earlier is run:
            continue
        if earlier.state is not State.WAITING or (earlier.attempt > 1 and run.attempt == 1):
            return False
    return not _stopping(database, run.job, now)


def _stopping(database: Database, job: Job, now: int) -> list[Run]:
    """Cancelled runs of which a worker may still execute the process."""
    told = {number for worker in database.workers.values() for number in worker.executing}
    return [
        run
        for run in job.runs
        if run.state is State.CANCELLED and (run.number in told or _is_unsure(database, run, now))
    ]


def _is_unsure(database: Database, run: Run, now: int) -> bool:
    """jobs.line_head.UNSURE."""
    worker = database.workers.get(run.worker)
    if worker is None or run.finished_at <= now - 2 * LEASE:
        return False
    return worker.heartbeat_at <= run.finished_at or worker.heartbeat_at <= run.started_at + 1_000
