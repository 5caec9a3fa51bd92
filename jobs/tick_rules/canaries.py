"""A job's canary: some ticks, or one shard of each, go to another queue, or by another definition."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import QuerySet

from jobs.births import Birth
from jobs.models import Canary, Job
from jobs.models.choices import CanaryState, FanOut
from jobs.policies.canary import takes
from jobs.schedules import Schedule
from jobs.states import State
from jobs.tick_rules.step import Step, leave

OneShard = Callable[[Job, list[Birth]], list[Birth]]


def load(jobs: Sequence[Job], now: datetime) -> Step:  # noqa: ARG001 - as every rule is asked
    """The step for these jobs: it gives whole ticks to their canaries."""
    running = {canary.job_id: canary for canary in _running(jobs).filter(percent__isnull=False)}
    if not running:
        return leave

    def step(job: Job, _: Schedule, birth: Birth) -> Birth:
        canary = running.get(job.pk)
        chosen = canary and takes(canary.percent or 0, job.pk, birth.scheduled_for)
        return by(canary, birth) if canary and chosen and not _is_probe(job, birth) else birth

    return step


def load_shards(jobs: Sequence[Job]) -> OneShard:
    """What gives one shard of each tick of these jobs to their canaries: the last, for the first names the tick."""
    sharded = [job for job in jobs if job.fan_out == FanOut.SHARDS]
    running = {canary.job_id: canary for canary in _running(sharded).filter(percent__isnull=True)} if sharded else {}

    def give(job: Job, births: list[Birth]) -> list[Birth]:
        canary = running.get(job.pk)
        if canary is None or len(births) < 2 or births[-1].state is not State.SCHEDULED or _is_probe(job, births[0]):
            return births
        return [*births[:-1], by(canary, births[-1])]

    return give


def by(canary: Canary, birth: Birth) -> Birth:
    """The run by the canary's definition; arguments that somebody has given for this one tick stay."""
    return replace(
        birth,
        canary_id=canary.pk,
        queue=canary.queue or birth.queue,
        task=canary.task or birth.task,
        args=canary.args if birth.args is None else birth.args,
        kwargs=canary.kwargs if birth.kwargs is None else birth.kwargs,
        timeout=canary.timeout or birth.timeout,
        note="; ".join(filter(None, (birth.note, f"goes to the canary {canary.pk}"))),
    )


def _running(jobs: Sequence[Job]) -> QuerySet[Canary]:
    return Canary.objects.filter(job__in=[job.pk for job in jobs], state=CanaryState.RUNNING)


def _is_probe(job: Job, birth: Birth) -> bool:
    """Whether its outcome decides on the job's circuit breaker, which asks how the job does as it is."""
    return job.circuit_probe == birth.group
