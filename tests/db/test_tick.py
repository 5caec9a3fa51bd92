"""The tick: every due tick gets its row, with the reason when it is not run, and the job moves on."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from jobs.models import Job, Run
from jobs.states import State
from jobs.tick import TickResult, tick
from tests.factories import NOON, planned_job, queued_run, reload

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def next_run_at(job: Job) -> datetime | None:
    return Job.objects.get(pk=job.pk).next_run_at


def rows(job: Job, *fields: str) -> list[tuple[Any, ...]]:
    return list(Run.objects.filter(job=job).order_by("scheduled_for").values_list(*fields))


def test_a_due_job_gets_a_run_and_moves_on() -> None:
    job = planned_job()
    assert tick(NOON) == TickResult(fired=1)
    assert rows(job, "scheduled_for", "state", "due_at", "trigger") == [(NOON, State.SCHEDULED, NOON, "schedule")]
    assert next_run_at(job) == NOON + MINUTE


def test_a_job_that_is_not_due_is_left_alone() -> None:
    job = planned_job(NOON + timedelta(seconds=1), schedule="* * * * * *")
    assert tick(NOON) == TickResult()
    assert next_run_at(job) == NOON + timedelta(seconds=1)


def test_an_edited_job_waits_until_it_is_planned() -> None:
    job = planned_job()
    Job.objects.filter(pk=job.pk).update(planned=False)
    assert tick(NOON) == TickResult()


def test_ticking_again_for_the_same_moment_makes_no_second_row() -> None:
    job = planned_job(overlap="allow")
    tick(NOON)
    before = rows(job, "id")
    Job.objects.update(next_run_at=NOON)
    assert tick(NOON) == TickResult(fired=0)
    assert rows(job, "id") == before
    assert next_run_at(job) == NOON + MINUTE


def test_a_tick_during_an_earlier_run_is_skipped_and_names_it() -> None:
    job = planned_job(overlap="skip")
    earlier = queued_run(NOON - MINUTE, job)
    assert tick(NOON) == TickResult(skipped=1)
    (skipped,) = Run.objects.filter(state=State.SKIPPED)
    assert skipped.reason == f"the earlier run {earlier.pk} had not ended"
    assert (skipped.scheduled_for, skipped.finished_at) == (NOON, NOON)
    assert next_run_at(job) == NOON + MINUTE


def test_a_tick_during_an_earlier_run_starts_another_if_overlap_is_allowed() -> None:
    job = planned_job(overlap="allow")
    queued_run(NOON - MINUTE, job)
    assert tick(NOON) == TickResult(fired=1)


def test_of_two_ticks_that_are_due_together_the_second_overlaps_the_first() -> None:
    job = planned_job(overlap="skip", grace=60)
    assert tick(NOON + MINUTE) == TickResult(fired=1, skipped=1)
    assert rows(job, "state") == [(State.SCHEDULED,), (State.SKIPPED,)]


def test_a_finished_run_stands_in_nobody_s_way() -> None:
    job = planned_job(overlap="skip")
    earlier = queued_run(NOON - MINUTE, job)
    Run.objects.filter(pk=earlier.pk).update(state="succeeded", finished_at=NOON, deadline_at=None)
    assert tick(NOON) == TickResult(fired=1)


def test_the_runs_of_another_job_stand_in_nobody_s_way() -> None:
    queued_run(NOON - MINUTE)
    planned_job(overlap="skip")
    assert tick(NOON).fired == 1


def test_missed_ticks_are_one_row_with_the_first_the_last_and_their_number() -> None:
    job = planned_job(missed="skip", grace=30, schedule="@hourly")
    now = NOON + timedelta(hours=5, minutes=30)
    assert tick(now) == TickResult(missed=6)
    run = Run.objects.get()
    assert (run.state, run.scheduled_for, run.last_scheduled_for, run.ticks) == (
        State.MISSED,
        NOON,
        NOON + timedelta(hours=5),
        6,
    )
    assert run.reason.startswith("6 ticks were not handled within the grace of 30 s")
    assert "skip them all" in run.reason
    assert run.finished_at == now
    assert next_run_at(job) == NOON + timedelta(hours=6)


def test_a_single_missed_tick_is_told_in_the_singular() -> None:
    planned_job(missed="skip", grace=30)
    tick(NOON + timedelta(seconds=31))
    assert Run.objects.get().reason.startswith("the tick was not handled within the grace of 30 s")


def test_latest_runs_the_last_of_the_missed_ticks() -> None:
    job = planned_job(missed="latest", grace=30, schedule="@hourly")
    now = NOON + timedelta(hours=5, minutes=30)
    assert tick(now) == TickResult(fired=1, missed=5)
    assert rows(job, "state", "scheduled_for", "ticks") == [
        (State.MISSED, NOON, 5),
        (State.SCHEDULED, NOON + timedelta(hours=5), 1),
    ]


def test_a_run_that_is_made_up_for_is_due_when_it_is_made_and_not_ahead_of_live_ones() -> None:
    planned_job(missed="latest", schedule="0 12 * * *")
    tick(NOON + timedelta(hours=1))
    run = Run.objects.get()
    assert (run.scheduled_for, run.due_at, run.priority) == (NOON, NOON + timedelta(hours=1), 5)


def test_all_missed_ticks_are_made_up_for_up_to_the_limit_at_the_least_urgent_priority() -> None:
    job = planned_job(missed="all", missed_limit=3, schedule="0 * * * *", overlap="allow", grace=60)
    result = tick(NOON + timedelta(hours=6))
    assert (result.fired, result.missed) == (4, 3)
    live, *made_up = Run.objects.filter(state=State.SCHEDULED).order_by("priority", "scheduled_for")
    assert (live.scheduled_for, live.priority) == (NOON + timedelta(hours=6), 5)
    assert [(run.scheduled_for, run.priority) for run in made_up] == [(NOON + timedelta(hours=n), 9) for n in range(3)]
    stretch = Run.objects.get(state=State.MISSED)
    assert (stretch.scheduled_for, stretch.ticks) == (NOON + timedelta(hours=3), 3)
    assert next_run_at(job) == NOON + timedelta(hours=7)


def test_the_earliest_missed_tick_is_made_up_for() -> None:
    planned_job(missed="earliest", schedule="0 * * * *", overlap="allow", grace=60)
    tick(NOON + timedelta(hours=2, minutes=30))
    assert Run.objects.get(state=State.SCHEDULED).scheduled_for == NOON
    assert Run.objects.get(state=State.MISSED).ticks == 2


def test_a_burst_leaves_the_rest_due(settings: Settings) -> None:
    settings.CARILLON = {"BURST": 3}
    job = planned_job(schedule="* * * * * *", overlap="allow", grace=60)
    assert tick(NOON + timedelta(seconds=4)).fired == 3
    assert next_run_at(job) == NOON + timedelta(seconds=3)
    assert tick(NOON + timedelta(seconds=4)).fired == 2
    assert next_run_at(job) == NOON + timedelta(seconds=5)


def test_the_end_of_a_job_is_its_last_tick() -> None:
    job = planned_job(ends_at=NOON + MINUTE)
    assert tick(NOON) == TickResult(fired=1)
    assert next_run_at(job) == NOON + MINUTE
    Run.objects.all().delete()
    assert tick(NOON + MINUTE) == TickResult(fired=1)
    assert next_run_at(job) is None
    assert tick(NOON + 2 * MINUTE) == TickResult()


def test_ticks_after_the_end_are_not_made_up_for() -> None:
    job = planned_job(ends_at=NOON + timedelta(seconds=90), overlap="allow", grace=3600)
    assert tick(NOON + timedelta(minutes=30)) == TickResult(fired=2)
    assert [when for (when,) in rows(job, "scheduled_for")] == [NOON, NOON + MINUTE]
    assert next_run_at(job) is None


def test_a_job_that_has_ended_has_less_grace_by_the_time_that_has_passed_since() -> None:
    planned_job(ends_at=NOON + timedelta(seconds=30), missed="skip", grace=60)
    assert tick(NOON + timedelta(minutes=30)) == TickResult(missed=1)


def test_a_schedule_without_further_fire_times_ends() -> None:
    job = planned_job(schedule="@at 2026-07-01T12:00")
    assert tick(NOON).fired == 1
    assert next_run_at(job) is None


@pytest.mark.parametrize("column", ["planned_schedule", "planned_timezone"])
def test_a_broken_row_is_set_aside_with_its_error_and_the_others_go_on(column: str) -> None:
    broken, sound = planned_job(), planned_job()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE jobs_job SET {column} = 'nonsense' WHERE id = %s", [broken.pk])
    assert tick(NOON) == TickResult(fired=1, set_aside=1)
    broken.refresh_from_db()
    assert broken.next_run_at is None
    assert broken.error
    assert len(rows(sound, "id")) == 1
    assert tick(NOON) == TickResult()


def test_a_batch_is_limited_and_tells_that_there_is_more(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 2}
    jobs = [planned_job(NOON - timedelta(seconds=number)) for number in range(3)]
    assert tick(NOON) == TickResult(fired=2, more=True)
    assert [bool(rows(job, "id")) for job in jobs] == [False, True, True]
    assert tick(NOON) == TickResult(fired=1)


def test_a_batch_costs_the_same_few_queries_whatever_its_size() -> None:
    def cost(jobs: int) -> int:
        for _ in range(jobs):
            planned_job()
        with connection.execute_wrapper(counter := Counter()):
            assert tick(NOON).fired == jobs
        return counter.count

    assert cost(1) == cost(50) <= 8


class Counter:
    """Counts statements."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        return execute(sql, params, many, context)


def test_a_run_keeps_what_its_job_said_at_the_tick() -> None:
    job = planned_job(args=[1], queue="slow")
    tick(NOON)
    Job.objects.filter(pk=job.pk).update(args=[2], queue="fast")
    run = reload(Run.objects.get())
    assert (run.args, run.queue) == ([1], "slow")


def test_daylight_saving_gives_each_repeated_half_hour_its_own_row() -> None:
    before = datetime.fromisoformat("2026-10-25T00:00:00+00:00")
    job = planned_job(before, schedule="*/30 * * * *", timezone="Europe/Riga", overlap="allow", grace=7200)
    assert tick(before + timedelta(hours=2)).fired == 5
    assert [when for (when,) in rows(job, "scheduled_for")] == [before + number * 30 * MINUTE for number in range(5)]
