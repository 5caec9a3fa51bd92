"""Jobs whose circuit breaker has something to do, for tests of what follows."""

from datetime import timedelta
from typing import Any

from jobs.models import Job, Run
from jobs.models.choices import Circuit
from jobs.settle import settle
from jobs.tick import tick
from tests.endings import ended_run
from tests.factories import NOON, planned_job

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def guarded(**fields: Any) -> Job:
    """A job with a tick each minute from 12:05 on, whose breaker opens after two failures in a row."""
    return planned_job(NOON + 5 * MINUTE, **{"breaker_failures": 2, "breaker_pause": 300, "overlap": "allow"} | fields)


def fail_at(job: Job, *seconds: float, **options: Any) -> None:
    """Failures that end so many seconds after noon, and the beat's look at each."""
    for second in seconds:
        ended_run(job, NOON + second * SECOND, failed=True, **options)
        settle(NOON + second * SECOND)


def circuit_of(job: Job) -> str:
    return Job.objects.get(pk=job.pk).circuit


def tick_at(job: Job, minute: float) -> Run:
    """The run of the job's tick at this minute after noon; the beat comes a second later."""
    tick(NOON + minute * MINUTE + SECOND)
    return job.runs.filter(trigger="schedule", scheduled_for=NOON + minute * MINUTE, shard=0).get()


def opened(**fields: Any) -> Job:
    """A job whose circuit has been open since 12:05:00."""
    job = guarded(**fields)
    fail_at(job, 299, 300)
    assert circuit_of(job) == Circuit.OPEN
    return job
