"""Pausing, resuming and cancelling: first in the ledger, where every process finds it."""

from uuid import UUID, uuid4

import pytest

from jobs import control, transitions
from jobs.admit import admit
from jobs.finish import finish
from jobs.models import Job, Run
from jobs.policies.outcomes import Succeeded
from jobs.states import LIVE, TERMINAL, State
from tests.factories import (
    NOON,
    claimant_of,
    make_worker,
    planned_job,
    queued_run,
    reload,
    run_in,
    running_run,
    ticket_of,
)

pytestmark = pytest.mark.django_db


def test_a_job_is_paused_and_resumed_once_and_planned_anew_each_time() -> None:
    job = planned_job()
    assert control.pause_job(job.pk)
    assert not control.pause_job(job.pk)
    job.refresh_from_db()
    assert (job.enabled, job.planned) == (False, False)
    Job.objects.filter(pk=job.pk).update(planned=True)
    assert control.resume_job(job.pk)
    assert not control.resume_job(job.pk)
    job.refresh_from_db()
    assert (job.enabled, job.planned) == (True, False)


def test_pausing_a_job_leaves_its_live_runs_and_other_jobs_alone() -> None:
    run, other = queued_run(), planned_job()
    control.pause_job(run.job_id)
    assert reload(run).state == State.QUEUED
    assert Job.objects.get(pk=other.pk).enabled


def test_a_paused_run_is_not_executed_though_its_message_is_on_its_way() -> None:
    run, worker = queued_run(), make_worker()
    assert control.pause_run(run.pk, by="ann")
    assert reload(run).reason == "paused by ann"
    assert transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=NOON) is None
    assert not Run.objects.due(NOON).exists()
    assert control.resume_run(run.pk)
    assert admit(NOON) == 1
    assert list(Run.objects.due(NOON)) == [run]


def test_a_run_that_has_started_cannot_be_paused() -> None:
    run, _ = running_run()
    assert not control.pause_run(run.pk, by="ann")


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_run_is_cancelled_in_the_ledger(state: State) -> None:
    run = run_in(state)
    revoked: list[UUID] = []
    assert control.cancel_run(run.pk, "ann", revoked.append)
    run = reload(run)
    assert (run.state, run.reason) == (State.CANCELLED, "cancelled by ann")
    assert run.finished_at is not None
    assert revoked == ([run.pk] if state is State.RUNNING else [])


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_finished_run_is_not_cancelled_nor_anything_revoked(state: State) -> None:
    run, revoked = run_in(state), list[UUID]()
    assert not control.cancel_run(run.pk, "ann", revoked.append)
    assert reload(run).state == state
    assert revoked == []


def test_a_run_that_does_not_exist_is_not_cancelled() -> None:
    revoked: list[UUID] = []
    assert not control.cancel_run(uuid4(), "ann", revoked.append)
    assert revoked == []


def test_the_cancel_stands_before_anybody_is_asked_to_stop() -> None:
    run, claim = running_run()

    def revoke(run_id: UUID) -> None:
        assert reload(run_id).state == State.CANCELLED
        raise ConnectionError("nobody there")

    with pytest.raises(ConnectionError):
        control.cancel_run(run.pk, "ann", revoke)
    assert reload(run).state == State.CANCELLED
    assert not finish(claim, Succeeded("too late"), NOON).won


def test_a_message_for_a_cancelled_run_is_dropped() -> None:
    run, worker = queued_run(), make_worker()
    control.cancel_run(run.pk, "ann", lambda _: None)
    assert transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=NOON) is None
