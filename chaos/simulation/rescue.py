"""Rescue: dead workers, orphans, runs that have expired, lost messages."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from chaos.simulation import losses
from chaos.simulation.database import Transaction
from chaos.simulation.engine import Cut
from chaos.simulation.pace import HIDDEN, LOCKED
from chaos.simulation.rows import Run
from jobs.states import State

if TYPE_CHECKING:
    from chaos.simulation.beat import Beat

Part = Generator[str | int | None, None, Any]
STARTABLE = (State.SCHEDULED, State.WAITING, State.QUEUED)


def rescue(beat: "Beat") -> Part:
    """One pass."""
    if not beat.glue.trusted(beat):
        return
    yield "rescue"
    now = beat.database.now()
    if any(beat.glue.ended(worker, now) for worker in beat.database.workers.values()):
        yield from _bury(beat, now)
    yield from _orphans(beat, now)
    _expire(beat, now)
    yield from _resend(beat, now)


def _bury(beat: "Beat", now: int) -> Part:
    database = beat.database
    transaction = Transaction(database, beat)
    yield "bury.lock"
    dead = [w for w in list(database.workers.values()) if beat.glue.ended(w, now) and transaction.take(w)]
    yield "bury.look"
    numbers = {worker.number for worker in dead}
    held = [(run, run.attempt) for run in database.live.values() if _runs_on(run, numbers)]
    for run, attempt in held:
        yield "bury.lose"
        while not transaction.take(run):
            yield LOCKED
        if run.attempt == attempt and run.state is State.RUNNING:
            transaction.changes.append((run, *losses.lost(run, now)))
    yield "bury.commit"
    transaction.dead += [worker for worker in dead if worker.number in database.workers]
    transaction.commit()
    yield "bury.answer"


def _runs_on(run: Run, workers: set[int]) -> bool:
    return run.state is State.RUNNING and run.worker in workers


def _orphans(beat: "Beat", now: int) -> Part:
    database = beat.database
    orphans = [
        (run, run.attempt)
        for run in database.live.values()
        if run.state is State.RUNNING and run.worker not in database.workers
    ]
    for run, attempt in orphans:
        yield "orphan"
        if run.lock is None and run.attempt == attempt and run.state is State.RUNNING:
            state, changes = losses.lost(run, now)
            database.move(run, state, **changes)


def _expire(beat: "Beat", now: int) -> None:
    for run in list(beat.database.live.values()):
        if run.expires_at is not None and run.expires_at < now and run.state in STARTABLE and run.lock is None:
            beat.database.move(run, State.MISSED)


def _resend(beat: "Beat", now: int) -> Part:
    database = beat.database
    queued = [run for run in database.live.values() if run.state is State.QUEUED]
    overdue = [run for run in queued if run.deadline_at is not None and run.deadline_at < now]
    if not overdue:
        return
    yield "depth"
    try:
        missing = len(queued) - beat.redis.depth()
    except Cut:
        return
    overdue.sort(key=lambda run: run.deadline_at or 0)
    chosen = overdue[:missing] if missing >= 0 else [run for run in overdue if run.queued_at < now - HIDDEN]
    yield "resend"
    for run in chosen:
        if run.state is State.QUEUED and run.lock is None:
            database.move(run, State.SCHEDULED, deadline_at=None)
