"""A job's circuit breaker: while it is open ticks are skipped, and after its pause one is let through as a probe."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from jobs import circuits
from jobs.births import Birth
from jobs.models import Job
from jobs.models.choices import Circuit
from jobs.policies.breaker import probe_from, since
from jobs.schedules import Schedule
from jobs.states import State
from jobs.tick_rules.step import Step


def load(jobs: Sequence[Job], now: datetime) -> Step:
    """The step for these jobs, whose rows the caller has locked; first their circuits follow from the last probes."""
    circuits.turn([job for job in jobs if job.circuit != Circuit.CLOSED], now)

    def step(job: Job, _: Schedule, birth: Birth) -> Birth:
        return past_breaker(job, birth, now)

    return step


def past_breaker(job: Job, birth: Birth, now: datetime) -> Birth:
    """The run, or the same skipped, or as the probe; the caller has locked the job's row."""
    if job.circuit == Circuit.CLOSED:
        return birth
    told = circuits.told(job, now)
    if job.circuit_probe is not None:
        return _skipped(birth, f"{told}; the probe {job.circuit_probe} has not ended")
    due = probe_from(job.breaker_rules(), job.circuit_changed_at)
    if job.circuit == Circuit.OPEN and due is not None and now < due:
        return _skipped(birth, f"{told}; a probe at {since(due, now)}")
    if birth.due_at is not None and birth.due_at > now:
        # What runs tomorrow would keep all ticks until then waiting for its outcome.
        return _skipped(birth, f"{told}; what is put off cannot be the probe")
    if not circuits.probe(job, birth.group, now):
        return _skipped(birth, told)
    return replace(birth, note="; ".join(filter(None, (birth.note, f"the probe of the {told}"))))


def _skipped(birth: Birth, reason: str) -> Birth:
    return replace(birth, state=State.SKIPPED, reason=reason)
