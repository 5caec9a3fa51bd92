"""Backfill on the real ledger: which ticks get runs, which kind, how many at a time, and when it is done."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from jobs import backfill, trigger
from jobs.admin.job_deletion import delete_jobs
from jobs.backfill import advance
from jobs.births import Birth, insert, new_run_id
from jobs.models import Backfill, Job, Run
from jobs.round import work
from jobs.states import State, Trigger
from jobs.tick import tick
from tests.backfills import HOUR, end, finish_all, hourly, hours, live, rows, started, tick_row
from tests.factories import NOON, reload

pytestmark = pytest.mark.django_db

EVERY_END = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED, State.MISSED)


def with_every_end(job: Job) -> dict[State, Run]:
    """A run in each state that is an end, and one that has not ended, from six hours before noon on."""
    states = (*EVERY_END, State.SCHEDULED)
    return {state: tick_row(job, when, state) for when, state in zip(hours(6, 1), states, strict=True)}


def test_ticks_without_a_row_get_one_under_the_unique_key() -> None:
    job = hourly(priority=3)
    begun = started(job)
    assert advance(NOON).made == 5
    made = list(job.runs.order_by("scheduled_for"))
    assert [run.scheduled_for for run in made] == hours(5, 1)
    assert {(run.trigger, run.state, run.priority, run.due_at, run.backfill_id) for run in made} == {
        (Trigger.BACKFILL, State.SCHEDULED, 9, NOON, begun.pk)
    }
    assert {run.note for run in made} == {f"backfill {begun.pk} by ann: a test"}
    again = [Birth(new_run_id(NOON), job.pk, when) for when in hours(5, 1)]
    assert insert(again, NOON) == set(), "the ticks have their rows"


@pytest.mark.parametrize(
    ("redo", "again"),
    [("none", ()), ("failed", EVERY_END[1:]), ("all", EVERY_END)],
)
def test_which_ticks_are_run_again(redo: str, again: tuple[State, ...]) -> None:
    job = hourly()
    before = with_every_end(job)
    begun = started(job, 8, 1, redo=redo)
    assert advance(NOON).made == 2 + len(again)
    assert [when for when, _ in rows(job, Trigger.BACKFILL)] == hours(8, 7)
    retries = list(job.runs.filter(trigger=Trigger.RETRY).order_by("scheduled_for"))
    assert [run.retry_of for run in retries] == [before[state].pk for state in again]
    assert [run.scheduled_for for run in retries] == [before[state].scheduled_for for state in again]
    assert {(run.state, run.priority, run.backfill_id) for run in retries} <= {(State.SCHEDULED, 9, begun.pk)}
    for state, run in before.items():
        assert reload(run).state == state, "what was there stays as it is"


def test_the_latest_run_of_a_tick_counts() -> None:
    job = hourly()
    failed, mended = (tick_row(job, when, State.FAILED) for when in hours(2, 1))
    end(trigger.retry_run(mended.pk, NOON - timedelta(minutes=1)), State.SUCCEEDED)
    started(job, 2, 1, redo="failed")
    assert advance(NOON).made == 1
    assert Run.objects.get(backfill__isnull=False).retry_of == failed.pk


def test_a_tick_inside_a_missed_stretch_counts_as_missed_and_gets_a_row_of_its_own() -> None:
    job = hourly()
    stretch = tick_row(job, NOON - 5 * HOUR, State.MISSED, last_scheduled_for=NOON - 3 * HOUR, ticks=3)
    none = started(job, 6, 2, redo="none")
    assert advance(NOON).made == 2
    assert [when for when, _ in rows(job, Trigger.BACKFILL)] == [NOON - 6 * HOUR, NOON - 2 * HOUR]
    backfill.cancel(none.pk, "ann", NOON, lambda _: None)
    started(job, 5, 3, redo="failed")
    assert advance(NOON).made == 3
    assert Run.objects.get(trigger=Trigger.RETRY).retry_of == stretch.pk
    assert [when for when, _ in rows(job, Trigger.BACKFILL)][1:3] == hours(4, 3)


def test_what_was_asked_for_by_hand_is_no_tick() -> None:
    job = hourly()
    insert([Birth(new_run_id(NOON), job.pk, NOON - HOUR, trigger=Trigger.MANUAL)], NOON)
    started(job, 1, 1)
    assert advance(NOON).made == 1


@pytest.mark.parametrize(("order", "first"), [("oldest", hours(5, 4)), ("newest", hours(2, 1))])
def test_no_more_than_so_many_ticks_at_once_in_the_order_asked_for(order: str, first: list[Any]) -> None:
    job = hourly()
    begun = started(job, order=order, at_once=2)
    assert advance(NOON).made == 2
    assert advance(NOON).made == 0
    assert [run.scheduled_for for run in live(job)] == first
    finish_all(live(job)[:1])
    assert advance(NOON).made == 1
    for _ in range(2):
        finish_all(live(job), State.FAILED)
        assert reload_backfill(begun).state == "running"
        advance(NOON)
    begun = reload_backfill(begun)
    assert (begun.state, begun.finished_at) == ("done", NOON)
    assert (begun.total, begun.seen, begun.made) == (5, 5, 5)


def reload_backfill(begun: Backfill) -> Backfill:
    return Backfill.objects.get(pk=begun.pk)


def test_a_backfill_that_leaves_everything_alone_is_done_at_once() -> None:
    job = hourly()
    for when in hours(5, 1):
        tick_row(job, when, State.SUCCEEDED)
    begun = started(job, at_once=1)
    assert advance(NOON).made == 0
    begun = reload_backfill(begun)
    assert (begun.state, begun.seen, begun.made) == ("done", 5, 0)
    assert advance(NOON).made == 0


def test_a_long_range_is_looked_at_in_batches(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 3}
    job = hourly()
    begun = started(job, 10, 1)
    assert (advance(NOON).made, reload_backfill(begun).seen) == (3, 3)
    result = work(lambda: NOON, lambda: True, lambda _: None)
    assert (result.backfilled, result.unfinished) == (7, False)
    assert reload_backfill(begun).position is None


def test_a_crash_in_the_middle_of_a_batch_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    job = hourly()
    begun = started(job)
    with monkeypatch.context() as crash:
        crash.setattr(Backfill, "save", _raise)
        advance(NOON)
    assert not job.runs.exists()
    assert reload_backfill(begun).reason == "paused by the beat, because it could not go on: KeyError: 'crash'"
    assert backfill.resume(begun.pk)
    assert advance(NOON).made == 5


def _raise(*_: Any, **__: Any) -> None:
    raise KeyError("crash")


def test_one_that_cannot_go_on_is_paused_with_the_reason_and_stops_no_other() -> None:
    bad, good = hourly(), hourly()
    first, second = started(bad), started(good)
    Job.objects.filter(pk=bad.pk).update(schedule="nonsense", planned=True)
    assert advance(NOON).made == 5
    assert reload_backfill(second).state == "running"
    first = reload_backfill(first)
    assert first.state == "paused"
    assert first.reason.startswith("paused by the beat, because it could not go on: ")
    assert "schedule: has 1 field" in first.reason
    assert not bad.runs.exists()


def test_a_job_can_be_deleted_in_the_middle_of_a_backfill() -> None:
    gone, other = hourly(), hourly()
    started(gone, at_once=1)
    started(other, at_once=1)
    assert advance(NOON).made == 2
    delete_jobs([gone.pk])
    assert Backfill.objects.count() == 1
    assert advance(NOON).made == 0


def test_an_edit_of_the_schedule_pauses_it_and_a_resume_goes_on_by_the_new_one() -> None:
    job = hourly()
    begun = started(job, at_once=2)
    advance(NOON)
    Job.objects.filter(pk=job.pk).update(schedule="0,30 * * * *", planned=True)
    finish_all(live(job))
    assert advance(NOON).made == 0
    begun = reload_backfill(begun)
    assert begun.state == "paused"
    assert "because the schedule was changed; it was 0 * * * * UTC" in begun.reason
    assert backfill.resume(begun.pk)
    begun = reload_backfill(begun)
    assert begun.total == 2 + 5, "two were looked at, five are left: 9:00, 9:30, 10:00, 10:30, 11:00"
    assert advance(NOON).made == 2
    assert [run.scheduled_for for run in live(job)] == [NOON - 3 * HOUR, NOON - 2.5 * HOUR]


def test_a_resume_by_a_schedule_that_cannot_be_read_is_refused() -> None:
    job = hourly()
    begun = started(job)
    backfill.pause(begun.pk, "ann")
    Job.objects.filter(pk=job.pk).update(schedule="nonsense", planned=True)
    with pytest.raises(trigger.RequestRefused, match="job: its ticks cannot be told"):
        backfill.resume(begun.pk)
    assert reload_backfill(begun).state == "paused"


def test_ticks_that_the_beat_has_still_to_handle_are_left_to_it_first() -> None:
    job = hourly(missed="skip", grace=0)
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON - 2 * HOUR, planned=True)
    started(job, 3, 1, redo="none")
    assert advance(NOON).made == 0
    tick(NOON)
    assert advance(NOON).made == 1, "the others were missed, and have a row that says so"
    assert [when for when, _ in rows(job, Trigger.BACKFILL)] == [NOON - 3 * HOUR]


def test_a_job_that_has_an_open_circuit_gets_no_runs_until_it_is_closed() -> None:
    job = hourly()
    started(job)
    Job.objects.filter(pk=job.pk).update(circuit="open")
    assert advance(NOON).made == 0
    Job.objects.filter(pk=job.pk).update(circuit="closed")
    assert advance(NOON).made == 5


def test_a_job_that_is_paused_can_be_backfilled() -> None:
    job = hourly(enabled=False)
    started(job)
    assert advance(NOON).made == 5


def test_ticks_lie_between_the_start_and_the_end_of_the_job() -> None:
    job = hourly(starts_at=NOON - 4 * HOUR, ends_at=NOON - 2 * HOUR)
    begun = started(job)
    assert (begun.total, advance(NOON).made) == (3, 3)
    assert [when for when, _ in rows(job, Trigger.BACKFILL)] == hours(4, 2)


def test_arguments_are_the_jobs_for_a_new_run_and_its_own_for_one_that_is_done_again() -> None:
    job = hourly(args=[1, 1])
    tick_row(job, NOON - 2 * HOUR, State.FAILED)
    Job.objects.filter(pk=job.pk).update(args=[2, 2])
    started(job, 2, 1, redo="failed")
    advance(NOON)
    made = job.runs.filter(backfill__isnull=False).order_by("scheduled_for")
    assert list(made.values_list("args", flat=True)) == [[1, 1], [2, 2]]


def test_a_start_deadline_does_not_hold_for_runs_that_wait_for_their_turn() -> None:
    job = hourly(overlap="skip", expires=60)
    started(job)
    advance(NOON)
    assert set(job.runs.values_list("state", "expires_at")) == {(State.WAITING, None)}


def test_limits_hold_for_its_runs_as_for_all() -> None:
    job = hourly(max_running=1)
    started(job)
    assert advance(NOON).made == 5
    assert set(job.runs.values_list("state", "limited")) == {(State.WAITING, True)}


def test_templates_get_the_interval_of_the_tick() -> None:
    job = hourly(templated=True, args=["{interval_start:%H}", "{interval_end:%H}"])
    started(job, 1, 1)
    advance(NOON)
    assert job.runs.get().interval_start is None, "by the job's own schedule"


def test_with_none_open_a_round_asks_one_small_question(django_assert_num_queries: Any) -> None:
    hourly()
    with django_assert_num_queries(1):
        assert advance(NOON).made == 0
