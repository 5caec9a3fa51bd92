"""Runs that have come to an end, for tests of what follows from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from jobs import lease, transitions
from jobs.models import Job, Run, Worker
from jobs.states import State
from tests.factories import claimant_of, make_worker, reload, scheduled_run, ticket_of


def living_worker(now: datetime) -> Worker:
    """A worker that may claim runs at this moment; the same one each time."""
    worker = Worker.objects.filter(name="ender@test").first()
    if worker is None or not lease.renew(worker.pk, 0, draining=False, now=now):
        return make_worker(now, "ender@test")
    return worker


def end(run: Run, now: datetime, *, failed: bool = False, classes: Sequence[str] = (), took: float = 1) -> Run:
    """Let a worker execute the run, for `took` seconds up to now."""
    begun = now - timedelta(seconds=took)
    if run.state == State.WAITING:
        transitions.admit([run.pk], begun)
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(living_worker(begun)), 40, now=begun)
    assert claim is not None
    if failed:
        told = {"error": "no luck", "reason": "no luck", "error_classes": sorted(classes)}
        assert transitions.fail(claim.ticket, [State.RUNNING], told, now)
    else:
        assert transitions.succeed(claim.ticket, {}, now)
    return reload(run)


def ended_run(job: Job, now: datetime, *, failed: bool = False, classes: Sequence[str] = (), took: float = 1) -> Run:
    """A run that somebody asked for, and its end at this moment."""
    return end(scheduled_run(now - timedelta(seconds=took), job), now, failed=failed, classes=classes, took=took)
