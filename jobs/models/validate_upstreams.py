"""What is wrong with a job that runs after others, or with one of its upstreams, asked when it is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps

from jobs.models.job_graph import downwards, edges_below, wait_for_other_edits
from jobs.policies.upstream import AFTER, path, runs_after_others

if TYPE_CHECKING:
    from jobs.models.job import Job

NOT_AFTER = f"a job that runs after others has the schedule {AFTER}"


def upstream_problems(job: Job) -> dict[str, str]:
    """What a job that runs after others cannot have, by field."""
    if not runs_after_others(job.schedule):
        return {"schedule": f"{NOT_AFTER}; remove its upstreams first"} if _has_upstreams(job) else {}
    problems = {}
    for field, given in (("calendar", job.calendar_id), ("jitter", job.jitter)):
        if given:
            problems[field] = f"a job with the schedule {AFTER} has no ticks of its own; give it to its upstreams"
    return problems


def _has_upstreams(job: Job) -> bool:
    return job.pk is not None and job.upstreams.exists()


def problem_of(job: Job, upstream: Job) -> dict[str, str]:
    """Why `job` cannot run after `upstream`, by field.

    Until the end of the transaction nobody else can add to the graph, so what is found stays so.
    """
    if job.pk is not None and job.pk == upstream.pk:
        return {"upstream": f"{job.name} cannot run after itself"}
    if not runs_after_others(job.schedule):
        return {"job": f"schedule: {NOT_AFTER}, not {job.schedule}"}
    if job.pk is None:
        return {}
    wait_for_other_edits()
    cycle = path(downwards(edges_below([job.pk])), job.pk, upstream.pk)
    return {"upstream": f"this makes a cycle: {_told([*cycle, job.pk])}"} if cycle else {}


def _told(cycle: list[int]) -> str:
    model: Any = apps.get_model("jobs", "Job")
    names = dict(model.objects.filter(pk__in=cycle).values_list("pk", "name"))
    return " → ".join(names.get(pk, str(pk)) for pk in cycle)
