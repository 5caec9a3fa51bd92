"""Runs that somebody asked for: run now, and retry of a finished run."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from jobs.births import Birth, insert, new_run_id
from jobs.models import Job, Run
from jobs.states import LIVE, TERMINAL, State, Trigger
from jobs.tick import tick
from jobs.trigger import retry_run, run_now
from tests.connections import on_own_connection, threads, together, wait_until_blocked
from tests.factories import NOON, make_job, planned_job, queued_run, reload, run_in, running_run

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


def test_run_now_makes_a_run_that_is_due_at_once() -> None:
    job = make_job(args=[5])
    run = run_now(job.pk, NOON)
    assert (run.state, run.trigger, run.scheduled_for, run.due_at) == (State.SCHEDULED, Trigger.MANUAL, NOON, NOON)
    assert run.args == [5]
    assert list(Run.objects.due(NOON)) == [run]


def test_run_now_works_for_a_paused_job_and_leaves_its_plan_alone() -> None:
    job = planned_job(LATER, enabled=False)
    run_now(job.pk, NOON)
    assert Job.objects.get().next_run_at == LATER


def test_run_now_and_a_tick_of_the_same_moment_both_have_their_rows() -> None:
    job = planned_job(overlap="allow")
    run_now(job.pk, NOON)
    assert tick(NOON).fired == 1
    assert set(Run.objects.values_list("trigger", flat=True)) == {"manual", "schedule"}


def test_run_now_during_a_live_run_is_skipped_with_the_reason() -> None:
    job = make_job(overlap="skip")
    earlier = queued_run(job=job)
    run = run_now(job.pk, NOON)
    assert (run.state, run.reason) == (State.SKIPPED, f"the earlier run {earlier.pk} had not ended")
    assert not Run.objects.due(NOON).exists()


def test_run_now_during_a_live_run_starts_another_if_overlap_is_allowed() -> None:
    job = make_job(overlap="allow")
    queued_run(job=job)
    assert run_now(job.pk, NOON).state == State.SCHEDULED


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_finished_run_is_retried_as_a_new_one_for_the_same_tick(state: State) -> None:
    old = run_in(state)
    before = Run.objects.filter(pk=old.pk).values().get()
    new = retry_run(old.pk, LATER)
    assert (new.trigger, new.retry_of, new.scheduled_for, new.job_id) == ("retry", old.pk, NOON, old.job_id)
    assert (new.state, new.attempt, new.retries) == (State.SCHEDULED, 1, 0)
    assert new in Run.objects.due(LATER)
    assert Run.objects.filter(pk=old.pk).values().get() == before


def test_a_retry_has_the_arguments_of_the_old_run_and_the_other_settings_of_the_job_now() -> None:
    old = run_in(State.FAILED)
    Job.objects.update(args=[9, 9], queue="new")
    new = retry_run(old.pk, LATER)
    assert (new.args, new.queue) == (old.args, "new")


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_run_cannot_be_retried(state: State) -> None:
    run = run_in(state)
    with pytest.raises(ValueError, match=f"is {state}; only a finished run can be retried"):
        retry_run(run.pk, LATER)
    assert Run.objects.count() == 1


def test_a_retry_during_a_live_run_is_skipped_with_the_reason() -> None:
    job = make_job(overlap="skip")
    birth = Birth(new_run_id(NOON), job.pk, NOON, state=State.MISSED, reason="late")
    insert([birth], NOON)
    live, _ = running_run(job=job)
    new = retry_run(birth.id, LATER)
    assert (new.state, new.reason) == (State.SKIPPED, f"the earlier run {live.pk} had not ended")


def test_a_run_may_be_retried_more_than_once() -> None:
    old = run_in(State.FAILED)
    Job.objects.update(overlap="allow")
    assert retry_run(old.pk, LATER).pk != retry_run(old.pk, LATER).pk
    assert Run.objects.filter(retry_of=old.pk).count() == 2


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(Job.DoesNotExist):
        run_now(4711, NOON)
    with pytest.raises(Run.DoesNotExist):
        retry_run(uuid4(), NOON)


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_at_the_same_moment_one_runs_and_the_others_are_skipped() -> None:
    job = make_job(overlap="skip")
    states = together(*[lambda: run_now(job.pk, NOON).state] * 6)
    assert sorted(states) == [State.SCHEDULED] + [State.SKIPPED] * 5


@pytest.mark.django_db(transaction=True)
def test_a_click_waits_for_an_edit_of_the_job_and_then_runs_what_was_edited() -> None:
    job = make_job(args=[1])
    with threads(1) as pool:
        with transaction.atomic():
            Job.objects.filter(pk=job.pk).update(args=[2])
            clicked = pool.submit(on_own_connection, lambda: run_now(job.pk, NOON))
            wait_until_blocked("SELECT")
        run = clicked.result(10)
    assert reload(run).args == [2]


@pytest.mark.parametrize(("end", "kept"), [(State.FAILED, {"page": 3}), (State.SUCCEEDED, None)])
def test_a_retry_goes_on_from_the_checkpoint_unless_the_run_had_succeeded(
    end: State, kept: dict[str, int] | None
) -> None:
    old = run_in(end)
    Run.objects.filter(pk=old.pk).update(checkpoint={"page": 3})
    assert retry_run(old.pk, NOON).checkpoint == kept
