"""Jobs that run after others, and the ends of their upstreams, for tests."""

from datetime import datetime
from typing import Any

from jobs import lease, transitions
from jobs.admit import admit
from jobs.models import Job, Run, Upstream, Worker
from jobs.settle import settle
from jobs.states import State
from tests.factories import NOON, claimant_of, make_job, make_worker, reload, ticket_of


def job_after(*upstreams: Job, **fields: Any) -> Job:
    """A job that runs after these."""
    job = make_job(**({"schedule": "@after"} | fields))
    for upstream in upstreams:
        Upstream.objects.create(job=job, upstream=upstream)
    return job


def end(run: Run, how: str = "succeed", now: datetime = NOON, worker: Worker | None = None) -> Run:
    """Have a worker execute a scheduled run, to this end."""
    if how == "cancel":
        assert transitions.cancel(run.pk, "cancelled by ann", now)
        return reload(run)
    run = reload(run)
    worker = worker or Worker.objects.first() or make_worker(now)
    lease.renew(worker.pk, 0, draining=False, now=now)
    claimant = claimant_of(worker)
    claim = transitions.claim(ticket_of(run), run.task, claimant, 40, now=now)
    assert claim is not None, f"{run.state}: {run.reason}"
    if how == "succeed":
        assert transitions.succeed(claim.ticket, {}, now)
    else:
        assert transitions.fail(claim.ticket, [State.RUNNING], {"reason": "no luck"}, now)
    return reload(run)


def settle_all(now: datetime = NOON) -> None:
    """What the beat's rounds do until nothing more follows."""
    while settle(now).settled:
        pass
    admit(now)


def of(job: Job, tick: datetime = NOON) -> Run:
    """The latest run of the job for the tick."""
    return job.runs.filter(scheduled_for=tick).latest("created_at", "id")
