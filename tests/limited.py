"""Limited jobs for tests: ask for runs, start and end them, and see who holds a slot."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from jobs import lease, limits, transitions
from jobs.models import Job, Run, Worker
from jobs.trigger import Request, run_many
from tests.factories import NOON, claimant_of, planned_job, reload, ticket_of

SECOND = timedelta(seconds=1)


def limited_job(**fields: Any) -> Job:
    """A planned job with a limit, whose runs may overlap, and which has no ticks of its own during a test."""
    return planned_job(NOON.replace(year=2100), **{"overlap": "allow", **fields})


def ask(job: Job, number: int = 1, **kwargs: Any) -> list[Run]:
    return run_many(job.pk, [Request(kwargs=kwargs or None)] * number, NOON)


def start(worker: Worker, *runs: Run, now: Any = NOON) -> None:
    lease.renew(worker.pk, 0, draining=False, now=now)
    for one in runs:
        assert transitions.claim(ticket_of(reload(one)), one.task, claimant_of(worker), 40, now=now)


def end(*runs: Run, now: Any = NOON) -> None:
    for one in runs:
        assert transitions.succeed(ticket_of(one), {}, now)


def admitted(runs: Iterable[Run]) -> list[Run]:
    """Those of the runs that hold a slot, as they were given."""
    states = dict(Run.objects.filter(state__in=("scheduled", "queued", "running")).values_list("pk", "state"))
    return [one for one in runs if one.pk in states]


def reasons(*jobs: Job) -> Counter[str]:
    limits.explain(NOON)
    return Counter(Run.objects.filter(job__in=jobs, state="waiting").values_list("reason", flat=True))


def end_all(runs: Iterable[Run]) -> None:
    for one in admitted(runs):
        assert transitions.cancel(one.pk, "by ann", NOON)
