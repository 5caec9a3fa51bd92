"""The tables' own constraints: what must never be is refused whoever writes it."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from jobs.births import Birth, insert, new_run_id
from jobs.models import Attempt, Run
from jobs.states import State, Trigger
from tests.factories import NOON, make_job, run_in, scheduled_run

pytestmark = pytest.mark.django_db


def execute(sql: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


@pytest.mark.parametrize(
    ("state", "change", "constraint"),
    [
        (State.SCHEDULED, "state = 'lost'", "run_state_known|run_finished_when_terminal"),
        (State.SCHEDULED, "state = 'queued'", "run_deadline_while_with_workers"),
        (State.RUNNING, "deadline_at = NULL", "run_deadline_while_with_workers"),
        (State.SCHEDULED, "deadline_at = now()", "run_deadline_while_with_workers"),
        (State.SUCCEEDED, "deadline_at = now()", "run_deadline_while_with_workers"),
        (State.SCHEDULED, "state = 'succeeded'", "run_finished_when_terminal"),
        (State.SCHEDULED, "finished_at = now()", "run_finished_when_terminal"),
        (State.FAILED, "finished_at = NULL", "run_finished_when_terminal"),
        (State.FAILED, "state = 'scheduled'", "run_finished_when_terminal"),
        (State.QUEUED, "state = 'running'", "run_running_has_worker"),
        (State.RUNNING, "worker_id = NULL", "run_running_has_worker"),
        (State.RUNNING, "started_at = NULL", "run_running_has_worker"),
        (State.RUNNING, "pid = NULL", "run_running_has_worker"),
        (State.SKIPPED, "reason = ''", "run_not_run_has_reason"),
        (State.MISSED, "reason = ''", "run_not_run_has_reason"),
        (State.SCHEDULED, "attempt = 0", "run_attempt_from_1"),
    ],
)
def test_an_impossible_run_is_refused(state: State, change: str, constraint: str) -> None:
    run = run_in(state)
    with pytest.raises(IntegrityError, match=constraint):
        execute(f"UPDATE jobs_run SET {change} WHERE id = %s", [run.pk])


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("priority = 10", "job_priority_0_to_9"),
        ("timeout = 0", "job_timeout_positive"),
        ("overlap = 'maybe'", "job_policies_known"),
        ("missed = 'maybe'", "job_policies_known"),
        ("retry_policy = 'maybe'", "job_policies_known"),
    ],
)
def test_an_impossible_job_is_refused(change: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        execute(f"UPDATE jobs_job SET {change} WHERE id = %s", [make_job().pk])


def test_two_jobs_cannot_share_a_name() -> None:
    make_job(name="backup")
    with pytest.raises(IntegrityError, match="name"):
        make_job(name="backup")


def test_an_attempt_is_recorded_once_and_by_a_known_outcome() -> None:
    run = scheduled_run()
    Attempt.objects.create(run=run, number=1, outcome="failed", finished_at=NOON)
    with pytest.raises(IntegrityError, match="attempt_once"), transaction.atomic():
        Attempt.objects.create(run=run, number=1, outcome="lost", finished_at=NOON)
    with pytest.raises(IntegrityError, match="attempt_outcome_known"):
        Attempt.objects.create(run=run, number=2, outcome="maybe", finished_at=NOON)


def test_a_tick_has_one_row_whatever_its_state() -> None:
    job = make_job()
    first = Birth(new_run_id(NOON), job.pk, NOON)
    second = Birth(new_run_id(NOON), job.pk, NOON, state=State.MISSED, reason="late")
    assert insert([first], NOON) == {first.id}
    assert insert([second], NOON) == set()
    assert Run.objects.get().state == State.SCHEDULED


def test_a_second_row_for_a_tick_is_refused_also_behind_our_back() -> None:
    job = make_job()
    insert([Birth(new_run_id(NOON), job.pk, NOON)], NOON)
    row = Run.objects.get()
    row.pk = new_run_id(NOON)
    row._state.adding = True
    with pytest.raises(IntegrityError, match="run_one_per_tick"):
        row.save(force_insert=True)


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.RETRY])
def test_what_was_asked_for_by_hand_may_share_a_tick_s_moment(trigger: Trigger) -> None:
    job = make_job()
    births = [
        Birth(new_run_id(NOON), job.pk, NOON),
        Birth(new_run_id(NOON), job.pk, NOON, trigger=trigger),
        Birth(new_run_id(NOON), job.pk, NOON, trigger=trigger),
    ]
    assert insert(births, NOON) == {birth.id for birth in births}


def test_shards_of_one_tick_are_rows_of_their_own() -> None:
    job = make_job()
    insert([Birth(new_run_id(NOON), job.pk, NOON)], NOON)
    row = Run.objects.get()
    row.pk, row.shard = new_run_id(NOON), 1
    row._state.adding = True
    row.save(force_insert=True)
    assert Run.objects.count() == 2
