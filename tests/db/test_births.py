"""How a run comes into being: with what its job says at that moment."""

from datetime import timedelta

import pytest

from jobs.births import Birth, insert, new_run_id
from jobs.models import Run
from jobs.states import State, Trigger
from tests.factories import NOON, make_job, reload, scheduled_run

pytestmark = pytest.mark.django_db


def test_a_run_copies_from_its_job_what_it_will_execute() -> None:
    job = make_job(
        args=["é", 1], kwargs={"a": None}, queue="slow", priority=2, timeout=7, expires=30, task="probe.note"
    )
    birth = Birth(new_run_id(NOON), job.pk, NOON)
    insert([birth], NOON)
    run = reload(birth.id)
    assert (run.task, run.args, run.kwargs) == ("probe.note", ["é", 1], {"a": None})
    assert (run.queue, run.priority, run.timeout) == ("slow", 2, 7)
    assert run.expires_at == NOON + timedelta(seconds=30)
    assert (run.state, run.attempt, run.shard, run.ticks) == (State.SCHEDULED, 1, 0, 1)


def test_an_edit_of_the_job_does_not_change_what_a_run_executes() -> None:
    run = scheduled_run(args=[1, 2])
    run.job.args = [3]
    run.job.save()
    assert reload(run).args == [1, 2]


def test_a_retried_run_has_the_arguments_of_the_old_one() -> None:
    job = make_job(args=[1], kwargs={"a": 1})
    old = scheduled_run(job=job)
    job.args, job.kwargs = [2], {"a": 2}
    job.save()
    birth = Birth(new_run_id(NOON), job.pk, NOON, trigger=Trigger.RETRY, retry_of=old.pk)
    insert([birth], NOON)
    assert (reload(birth.id).args, reload(birth.id).kwargs) == ([1], {"a": 1})


def test_a_run_that_was_due_in_the_past_is_due_at_once_and_never_later_than_now() -> None:
    job = make_job()
    past, future = (Birth(new_run_id(NOON), job.pk, NOON + timedelta(hours=hours)) for hours in (-1, 1))
    insert([past, future], NOON)
    assert reload(past.id).due_at == NOON - timedelta(hours=1)
    assert reload(future.id).due_at == NOON


@pytest.mark.parametrize("state", [State.SKIPPED, State.MISSED])
def test_what_is_not_run_is_finished_at_birth_and_never_due(state: State) -> None:
    job = make_job(expires=60)
    insert([Birth(new_run_id(NOON), job.pk, NOON, state=state, reason="a reason")], NOON)
    run = Run.objects.get()
    assert (run.finished_at, run.expires_at, run.reason) == (NOON, None, "a reason")
    assert not Run.objects.due(NOON).exists()
    assert not Run.objects.live().exists()


def test_the_run_of_a_job_that_is_gone_is_not_born() -> None:
    job = make_job()
    birth = Birth(new_run_id(NOON), job.pk, NOON)
    job.delete()
    assert insert([birth], NOON) == set()


def test_no_births_ask_nothing_of_the_database(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert insert([], NOON) == set()
