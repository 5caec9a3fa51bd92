"""Fan-out: the runs into which a tick is split, as shards or one for each live worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jobs.births import Birth, new_run_id
from jobs.models import Job, Worker
from jobs.models.choices import FanOut
from jobs.models.job_ticks import MOST_SHARDS
from jobs.states import State

FanOutOf = Callable[[Job, Birth], list[Birth]]


def load(jobs: Sequence[Job], now: datetime) -> FanOutOf:
    """How the ticks of these jobs are split; the workers are those that live now."""
    wanted = any(job.fan_out == FanOut.WORKERS for job in jobs)
    workers = _alive(now) if wanted else []

    def split(job: Job, birth: Birth) -> list[Birth]:
        if birth.state in (State.SKIPPED, State.MISSED) or job.fan_out == FanOut.ONE:
            return [birth]
        if job.fan_out == FanOut.SHARDS:
            if not 1 <= job.shards <= MOST_SHARDS:  # no form lets that through, but a row may hold it
                raise ValueError(f"shards: {job.shards} is not in 1-{MOST_SHARDS}")
            return _shards(birth, job.shards, now)
        return _one_each(birth, [worker for worker in workers if job.queue in worker.queues], job, now)

    return split


@dataclass(frozen=True, slots=True)
class _Server:
    """A live worker."""

    name: str
    direct_queue: str
    queues: set[str]


def _alive(now: datetime) -> list[_Server]:
    """The workers that take runs and have a queue of their own (Celery's `worker_direct`), by name."""
    alive = Worker.objects.filter(lease_until__gt=now, draining=False).exclude(direct_queue="").order_by("name")
    return [
        _Server(name, queue, set(queues)) for name, queue, queues in alive.values_list("name", "direct_queue", "queues")
    ]


def _shards(birth: Birth, number: int, now: datetime) -> list[Birth]:
    ids = [birth.id, *sorted(new_run_id(now) for _ in range(number - 1))]
    keys = [birth.idempotency_key, *([None] * (number - 1))]
    return [
        replace(birth, id=run_id, idempotency_key=key, shard=index, shards=number, group_id=birth.id)
        for index, (run_id, key) in enumerate(zip(ids, keys, strict=True))
    ]


def _one_each(birth: Birth, workers: Sequence[_Server], job: Job, now: datetime) -> list[Birth]:
    if not workers:
        reason = f"no worker that serves the queue {job.queue} was alive"
        return [replace(birth, state=State.SKIPPED, reason=reason)]
    runs = _shards(birth, len(workers), now)
    return [
        replace(run, for_worker=worker.name, queue=worker.direct_queue)
        for run, worker in zip(runs, workers, strict=True)
    ]
