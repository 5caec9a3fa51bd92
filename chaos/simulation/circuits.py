"""A job's circuit breaker on simulated rows; the product's policy decides, and the job's lock guards."""

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chaos.simulation.database import Transaction
from chaos.simulation.rows import Job, Run
from jobs.births import Birth
from jobs.models.choices import Circuit
from jobs.policies.breaker import Ended, ended_as, of_the_probe, probe_from, why_open
from jobs.states import TERMINAL, State

if TYPE_CHECKING:
    from chaos.simulation.beat import Beat


def wants(job: Job) -> bool:
    """Whether an end of the job's has not been looked at."""
    return job.spec.breaker.on and any(run.state in TERMINAL and not run.settled for run in job.runs)


def settle(beat: "Beat", now: int) -> Generator[str | int | None, None, Any]:
    """Open the circuits that the last ends say must open."""
    transaction = Transaction(beat.database, beat)
    yield "settle.lock"
    jobs = [job for job in beat.database.jobs if wants(job) and transaction.take(job)]
    ends = [[run for run in job.runs if run.state in TERMINAL and not run.settled] for job in jobs]
    for job in jobs:
        transaction.job_changes.append((job, _judged(job, now)))
    yield "settle.commit"
    for runs in ends:
        for run in runs:
            run.settled = True
    transaction.commit()


def standing(job: Job) -> dict[str, Any]:
    """How the circuit stands, as the row has it."""
    return {name: getattr(job, name) for name in ("circuit", "probe", "changed_at", "counts_from")}


def put_back(job: Job, before: dict[str, Any]) -> dict[str, Any]:
    """Undo what a transaction that has not committed did to the circuit; what that was."""
    after = standing(job)
    for name, value in before.items():
        setattr(job, name, value)
    return after


def _judged(job: Job, now: int) -> dict[str, Any]:
    if job.circuit != Circuit.CLOSED:
        return {}
    counted = [run for run in job.runs if _counts(run) and run.finished_at > job.counts_from]
    counted.sort(key=lambda run: -run.finished_at)
    failed = [run.state is State.FAILED for run in counted[: job.spec.breaker.reach]]
    return {"circuit": Circuit.OPEN, "changed_at": now} if why_open(job.spec.breaker, failed) else {}


def _counts(run: Run) -> bool:
    return run.state is State.SUCCEEDED or run.state is State.FAILED


def turn(job: Job, now: int) -> None:
    """Let a half-open circuit follow from its probe's end."""
    if job.circuit != Circuit.HALF_OPEN or job.probe is None:
        return
    probes = [run for run in job.runs if run.id.int == job.probe]
    if any(run.state not in TERMINAL for run in probes):
        return
    end = of_the_probe([ended_as(job.spec.breaker, run.state, None) for run in probes])
    if end is Ended.SUCCEEDED:
        job.circuit, job.counts_from, job.changed_at = Circuit.CLOSED, now, now
    elif end is Ended.FAILED:
        job.circuit, job.changed_at = Circuit.OPEN, now
    job.probe = None


def past_breaker(job: Job, birth: Birth, epoch: datetime, now: int) -> Birth:
    """The run, or the same skipped, or as the probe."""
    if job.circuit == Circuit.CLOSED:
        return birth
    if job.probe is not None:
        return replace(birth, state=State.SKIPPED, reason="the probe has not ended")
    moment = epoch + timedelta(milliseconds=now)
    due = probe_from(job.spec.breaker, epoch + timedelta(milliseconds=job.changed_at))
    if job.circuit == Circuit.OPEN and due is not None and moment < due:
        return replace(birth, state=State.SKIPPED, reason="the circuit is open")
    job.probe, job.circuit = birth.id.int, Circuit.HALF_OPEN
    return birth
