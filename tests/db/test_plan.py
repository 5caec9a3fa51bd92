"""Planning: a new or edited job gets its next fire time; what the old schedule owed keeps its rows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from jobs.models import Job, Run
from jobs.plan import PlanResult, plan
from jobs.states import State
from jobs.tick import TickResult, tick
from tests.factories import NOON, make_job, planned_job

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def new_job(edited_at: datetime = NOON, **fields: Any) -> Job:
    """A new job, as if it had been saved at `edited_at`."""
    job = make_job(**fields)
    Job.objects.filter(pk=job.pk).update(planned_from=edited_at)
    return job


def edit(job: Job, at: datetime, **changes: Any) -> Job:
    """Save the changes, as if it were `at`."""
    was_planned = after(job).planned
    for name, value in changes.items():
        setattr(job, name, value)
    job.save()
    set_edited(job, at, was_planned=was_planned)
    return job


def set_edited(job: Job, at: datetime, *, was_planned: bool) -> None:
    """Let the edit that has just been made be one of `at`."""
    Job.objects.filter(pk=job.pk).update(planned_from=at, **({"owed_until": at} if was_planned else {}))


def after(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def ledger() -> list[tuple[datetime, str, int]]:
    return list(Run.objects.order_by("scheduled_for").values_list("scheduled_for", "state", "ticks"))


def test_a_new_job_fires_first_at_its_next_fire_time() -> None:
    job = new_job(NOON + timedelta(seconds=5))
    assert plan(NOON + timedelta(seconds=6)) == PlanResult(planned=1)
    job = after(job)
    assert (job.next_run_at, job.planned, job.error) == (NOON + MINUTE, True, "")
    assert (job.planned_schedule, job.planned_timezone, job.planned_key) == ("* * * * *", "UTC", job.name)
    assert plan(NOON) == PlanResult()


def test_the_ticks_between_the_save_and_the_planning_are_not_lost() -> None:
    new_job(NOON, overlap="allow", grace=600)
    plan(NOON + 3 * MINUTE)
    assert tick(NOON + 3 * MINUTE).fired == 3


def test_a_job_that_starts_later_fires_first_then_and_at_that_very_moment() -> None:
    job = new_job(starts_at=NOON + HOUR)
    plan(NOON)
    assert after(job).next_run_at == NOON + HOUR


@pytest.mark.parametrize("fields", [{"ends_at": NOON + timedelta(seconds=30)}, {"schedule": "@at 2020-01-01T00:00"}])
def test_a_job_without_a_fire_time_left_is_planned_and_never_due(fields: dict[str, Any]) -> None:
    job = new_job(**fields)
    assert plan(NOON) == PlanResult(planned=1)
    assert after(job).next_run_at is None
    assert after(job).error == ""


def test_a_disabled_job_is_planned_without_a_tick() -> None:
    job = new_job(enabled=False)
    plan(NOON)
    assert after(job).next_run_at is None


def test_the_ticks_that_the_old_schedule_owed_get_their_rows() -> None:
    job = planned_job(overlap="allow", grace=60)
    edited_at = NOON + timedelta(minutes=5, seconds=30)
    edit(job, edited_at, schedule="0 0 * * *")
    plan(edited_at)
    assert ledger() == [
        (NOON, State.MISSED, 5),
        (NOON + 5 * MINUTE, State.SCHEDULED, 1),
    ]
    assert after(job).next_run_at == datetime.fromisoformat("2026-07-02T00:00:00+00:00")


def test_more_owed_ticks_than_a_burst_all_get_their_rows(settings: Settings) -> None:
    settings.CARILLON = {"BURST": 2}
    job = planned_job(overlap="allow", grace=3600)
    edit(job, NOON + 4 * MINUTE, schedule="0 0 * * *")
    plan(NOON + 4 * MINUTE)
    assert [row[0] for row in ledger()] == [NOON + number * MINUTE for number in range(5)]


def test_an_edit_makes_no_surprise_run_under_the_new_schedule() -> None:
    job = planned_job(NOON + HOUR, schedule="@hourly")
    edited_at = NOON + timedelta(minutes=10, seconds=30)
    edit(job, edited_at, schedule="*/10 * * * *")
    plan(edited_at)
    assert tick(edited_at) == TickResult()
    assert ledger() == []
    assert after(job).next_run_at == NOON + timedelta(minutes=20)


def test_owed_ticks_keep_their_rows_when_the_new_schedule_is_bad() -> None:
    job = planned_job(overlap="allow")
    edit(job, NOON + timedelta(seconds=30), schedule="61 * * * *")
    assert plan(NOON + timedelta(seconds=30)).set_aside == 1
    assert ledger() == [(NOON, State.SCHEDULED, 1)]


def test_a_change_of_the_zone_moves_the_fire_time() -> None:
    job = planned_job(NOON.replace(hour=15), schedule="0 15 * * *")
    edit(job, NOON, timezone="Europe/Riga")
    plan(NOON)
    assert after(job).next_run_at == NOON + timedelta(days=1)
    assert ledger() == []


def test_a_change_of_the_name_moves_only_a_hashed_fire_time() -> None:
    hashed, fixed = planned_job(NOON + HOUR, schedule="H * * * *"), planned_job(NOON + HOUR, schedule="0 * * * *")
    edit(hashed, NOON, name="another name")
    edit(fixed, NOON, name="a third name")
    plan(NOON)
    assert after(hashed).planned_key == "another name"
    assert after(hashed).next_run_at == hashed.parsed_schedule().next_after(NOON)
    assert after(fixed).next_run_at == NOON + HOUR


@pytest.mark.parametrize("way", ["save", "update"])
def test_a_pause_and_a_resume_make_no_surprise_run(way: str) -> None:
    job = planned_job(NOON + MINUTE)
    set_enabled(job, NOON, way, value=False)
    plan(NOON)
    assert after(job).next_run_at is None
    set_enabled(job, NOON + 3 * HOUR, way, value=True)
    plan(NOON + 3 * HOUR)
    assert tick(NOON + 3 * HOUR) == TickResult()
    assert after(job).next_run_at == NOON + 3 * HOUR + MINUTE
    assert ledger() == []


@pytest.mark.parametrize("way", ["save", "update"])
def test_a_pause_that_no_beat_has_seen_is_not_made_up_for(way: str) -> None:
    job = planned_job(NOON + MINUTE, overlap="allow", missed="skip", grace=24 * 3600)
    set_enabled(job, NOON + MINUTE + timedelta(seconds=1), way, value=False)
    set_enabled(job, NOON + 3 * HOUR, way, value=True)
    plan(NOON + 3 * HOUR)
    assert ledger() == [(NOON + MINUTE, State.SCHEDULED, 1)]
    assert after(job).next_run_at == NOON + 3 * HOUR + MINUTE
    assert after(job).owed_until is None


def set_enabled(job: Job, at: datetime, way: str, *, value: bool) -> None:
    if way == "save":
        edit(job, at, enabled=value)
    else:
        was_planned = after(job).planned
        Job.objects.filter(pk=job.pk).update(enabled=value)
        set_edited(job, at, was_planned=was_planned)


def test_a_pause_keeps_the_rows_of_what_was_due_before_it() -> None:
    job = planned_job(overlap="allow")
    edit(job, NOON + timedelta(seconds=10), enabled=False)
    plan(NOON + timedelta(seconds=10))
    assert ledger() == [(NOON, State.SCHEDULED, 1)]
    assert after(job).next_run_at is None


def test_a_bad_schedule_is_set_aside_with_its_error_and_an_edit_clears_it() -> None:
    bad, good = new_job(), new_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET schedule = '99 * * * *' WHERE id = %s", [bad.pk])
    assert plan(NOON) == PlanResult(planned=1, set_aside=1)
    assert after(good).next_run_at == NOON + MINUTE
    bad = after(bad)
    assert (bad.next_run_at, bad.planned) == (None, True)
    assert bad.error.startswith("minute: 99")
    assert plan(NOON) == PlanResult()

    edit(bad, NOON, schedule="* * * * *")
    assert after(bad).error == ""
    assert plan(NOON) == PlanResult(planned=1)
    assert (after(bad).next_run_at, after(bad).error) == (NOON + MINUTE, "")


def test_a_job_set_aside_by_the_tick_is_planned_again_after_an_edit() -> None:
    job = planned_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET planned_schedule = 'nonsense' WHERE id = %s", [job.pk])
    assert tick(NOON).set_aside == 1
    edit(after(job), NOON, schedule="*/5 * * * *")
    assert plan(NOON) == PlanResult(planned=1)
    assert after(job).next_run_at == NOON + 5 * MINUTE


def test_a_database_that_has_no_time_is_not_held_against_the_job() -> None:
    job = new_job()

    def canceled(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("canceling statement due to statement timeout")
        return execute(sql, *rest)

    with connection.execute_wrapper(canceled), pytest.raises(OperationalError):
        plan(NOON)
    assert (after(job).planned, after(job).error) == (False, "")
    assert plan(NOON) == PlanResult(planned=1)


def test_a_batch_is_limited_and_tells_that_there_is_more(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 2}
    for _ in range(3):
        new_job()
    assert plan(NOON) == PlanResult(planned=2, more=True)
    assert plan(NOON) == PlanResult(planned=1)
