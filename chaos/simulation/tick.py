"""The tick: due ticks become rows, by the product's own policies, in one transaction."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chaos.simulation import circuits
from chaos.simulation.database import Transaction, run_key
from chaos.simulation.line import line_of
from chaos.simulation.pace import BURST
from chaos.simulation.rows import Job, Run
from jobs.births import Birth
from jobs.line import Line
from jobs.models.choices import Overlap
from jobs.policies import missed
from jobs.states import State

if TYPE_CHECKING:
    from chaos.simulation.beat import Beat

MILLISECOND = timedelta(milliseconds=1)


def tick(beat: "Beat", now: int) -> Generator[str | int | None, None, Any]:
    """One batch; whether something was done."""
    transaction = Transaction(beat.database, beat)
    yield "tick.lock"
    jobs = [
        job
        for job in beat.database.jobs
        if job.next_run_at is not None and job.next_run_at <= now and transaction.take(job)
    ]
    if not jobs:
        transaction.rollback()
        return False
    yield "tick.decide"
    lines = [_decided(beat, transaction, job, now) for job in jobs]
    yield "tick.write"
    stopped: list[int] = []
    for line, job in zip(lines, jobs, strict=True):
        stopped += yield from _cancel_replaced(transaction, line, job)
    yield "tick.commit"
    transaction.commit()
    yield "tick.answer"
    if stopped:
        beat.world.stop(stopped)
    return True


def _decided(beat: "Beat", transaction: Transaction, job: Job, now: int) -> Line:
    spec, epoch = job.spec, beat.epoch
    until = min(now, spec.until)
    first = epoch + (job.next_run_at or 0) * MILLISECOND
    grace = max(timedelta(0), spec.missed.grace - (now - until) * MILLISECOND)
    rules = missed.MissedRules(spec.missed.kind, grace, spec.missed.limit)
    due = missed.decide(spec.schedule, first, epoch + until * MILLISECOND, rules, BURST)
    line = line_of(job)
    births: list[Birth] = []
    recorded = beat.database.keys if spec.overlap.kind == Overlap.REPLACE else frozenset()
    circuit = circuits.standing(job)
    circuits.turn(job, now)
    for time in due.fire:
        if (spec.name, _since(time, epoch)) in recorded:
            continue
        births.append(_shaped(beat, job, Birth(run_key(beat.engine), 0, time), now))
    for time in due.made_up:
        made_up = Birth(run_key(beat.engine), 0, time, due_at=epoch + now * MILLISECOND)
        births.append(_shaped(beat, job, made_up, now))
    transaction.job_changes.append((job, circuits.put_back(job, circuit)))
    for birth in births:
        if birth.state is State.SCHEDULED:
            line.join([birth])
        else:
            line.set_down([birth])
    for birth in line.births.values():
        _give_birth(transaction, job, birth, epoch, now)
    for stretch in due.missed:
        born = Birth(run_key(beat.engine), 0, stretch.first, state=State.MISSED)
        times = _since(stretch.first, epoch), _since(stretch.last, epoch), stretch.count
        transaction.give_birth(born, job, times, times[0])
    upcoming = None if due.upcoming is None else _since(due.upcoming, epoch)
    after = upcoming if upcoming is not None and upcoming <= spec.until else None
    transaction.job_changes.append((job, {"next_run_at": after}))
    return line


def _since(moment: datetime, epoch: datetime) -> int:
    return (moment - epoch) // MILLISECOND


def _shaped(beat: "Beat", job: Job, birth: Birth, now: int) -> Birth:
    return circuits.past_breaker(job, birth, beat.epoch, now) if job.spec.breaker.on else birth


def _give_birth(transaction: Transaction, job: Job, birth: Birth, epoch: datetime, now: int) -> Run:
    time = _since(birth.scheduled_for, epoch)
    due_at = min(time, now) if birth.due_at is None else now
    limited = birth.state is State.SCHEDULED and job.spec.limited
    run = transaction.give_birth(birth, job, (time, time, 1), due_at)
    if limited:
        run.state = State.WAITING
    if job.spec.expires is not None and run.state in (State.SCHEDULED, State.WAITING):
        run.expires_at = max(due_at, now) + job.spec.expires
    return run


def _cancel_replaced(transaction: Transaction, line: Line, job: Job) -> Generator[str | int | None, None, list[int]]:
    """Guarded: whoever has ended meanwhile is left alone. A row's lock is waited for."""
    stopped: list[int] = []
    for victim in line.replaced:
        run = _find(job, victim)
        while run is not None and not transaction.take(run):
            yield 50
        if run is not None and run.number in job.live:
            transaction.changes.append((run, State.CANCELLED, {}))
            if victim in line.stopping:
                stopped.append(run.number)
    return stopped


def _find(job: Job, victim: UUID) -> Run | None:
    return next((run for run in job.live.values() if run.id == victim), None)
