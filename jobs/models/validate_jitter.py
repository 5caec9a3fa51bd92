"""What is wrong with a job's jitter: a run that is late by it must not come as late as the next tick."""

from datetime import UTC, datetime

from jobs.policies.jitter import passed_ticks
from jobs.schedules import Schedule


def jitter_problems(jitter: int, schedule: Schedule, after: datetime) -> dict[str, str]:
    """A sentence by field, or nothing; `after` is the moment from which on the schedule's ticks are looked at."""
    passed = passed_ticks(schedule, jitter, after) if jitter else None
    if passed is None:
        return {}
    first, second = (f"{tick:%Y-%m-%d %H:%M:%S %Z}" for tick in passed)
    gap = int((passed[1].astimezone(UTC) - passed[0].astimezone(UTC)).total_seconds())
    return {
        "jitter": f"must be less than the {gap:,} s between two ticks of the schedule, such as {first} and {second}"
    }
