"""What is wrong with a canary, asked when it is started: a sentence for each field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.models.choices import FanOut
from jobs.models.validation import template_errors

if TYPE_CHECKING:
    from jobs.models.canary import Canary

CHANGES = ("queue", "task", "args", "kwargs", "timeout")
"""What a canary may have otherwise than its job."""


def changes_of(canary: Canary) -> dict[str, Any]:
    """What the canary has otherwise than its job, by field. An empty list or object of arguments is a change too."""
    given = {name: getattr(canary, name) for name in CHANGES}
    return {name: value for name, value in given.items() if value not in ("", None)}


def canary_problems(canary: Canary) -> dict[str, str]:
    """What would make a trial of it pointless or impossible, by field."""
    job = canary.job
    problems = {}
    changes = changes_of(canary)
    if all(getattr(job, name) == value for name, value in changes.items()):
        problems["queue"] = "give a queue, a task, arguments or a timeout that differs from the job's"
    if job.fan_out == FanOut.WORKERS and canary.queue:
        problems["queue"] = "the job runs on every worker of its own queue, and cannot have some ticks on another"
    if canary.percent is None and job.fan_out != FanOut.SHARDS:
        problems["percent"] = "needed, because the job's ticks are not split into shards, of which one could be taken"
    return problems | _template_problems(canary)


def _template_problems(canary: Canary) -> dict[str, str]:
    job = canary.job
    arguments = {name: value for name, value in changes_of(canary).items() if name in ("args", "kwargs")}
    if not job.templated or not arguments:
        return {}
    try:
        schedule = job.parsed_schedule()
    except ValueError as error:
        return dict.fromkeys(arguments, f"cannot be filled in, because the job's schedule is wrong: {error}")
    return template_errors(arguments, job.name, schedule, job.starts_at)
