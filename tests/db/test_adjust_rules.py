"""One occurrence: taken back, beside the other rules of a job, and with several people and beats at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs import adjust
from jobs.admin.job_deletion import delete_jobs
from jobs.births import Birth, insert, new_run_id
from jobs.models import Adjustment, Calendar, Job, Run
from jobs.models.choices import Adjust
from jobs.plan import plan
from jobs.states import State, Trigger
from jobs.tick import TickResult, tick
from jobs.trigger import RequestRefused
from tests.connections import together
from tests.db.occurrences import ANN, BEFORE, HOUR, MINUTE, hourly, next_run_at, refusal, rows
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_what_was_taken_back_has_no_effect_and_stays_as_history() -> None:
    job = hourly()
    made = adjust.skip(job.pk, BEFORE, **ANN)
    adjust.take_back(made.pk, BEFORE + MINUTE, by="bob")
    assert tick(NOON) == TickResult(fired=1)
    made.refresh_from_db()
    assert (made.taken_back_by, made.taken_back_at) == ("bob", BEFORE + MINUTE)
    with refusal("adjustment", "bob has taken it back already"):
        adjust.take_back(made.pk, BEFORE, by="ann")


def test_after_that_the_tick_may_be_decided_on_anew() -> None:
    job = hourly()
    adjust.take_back(adjust.skip(job.pk, BEFORE, **ANN).pk, BEFORE, by="ann")
    adjust.snooze(job.pk, BEFORE, until=NOON + HOUR, **ANN)
    tick(NOON)
    assert job.runs.get().due_at == NOON + HOUR


def test_what_has_had_its_effect_cannot_be_taken_back() -> None:
    skipped, early = hourly(), hourly()
    made = adjust.skip(skipped.pk, BEFORE, **ANN)
    adjust.run_early(early.pk, BEFORE, **ANN)
    tick(NOON)
    for pk in (made.pk, early.adjustments.get().pk):
        with refusal("adjustment", "too late"):
            adjust.take_back(pk, NOON, by="ann")


def test_what_is_left_of_a_stretch_can_be_taken_back() -> None:
    job = hourly()
    made = adjust.skip(job.pk, BEFORE, until=NOON + 5 * HOUR, **ANN)
    tick(NOON)
    adjust.take_back(made.pk, NOON + MINUTE, by="bob")
    tick(NOON + HOUR)
    assert rows(job, "state") == [(State.SKIPPED,), (State.SCHEDULED,)]


def test_a_tick_that_an_edit_has_removed_is_simply_never_met() -> None:
    job = hourly()
    made = adjust.skip(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(planned_schedule="30 * * * *", next_run_at=NOON + 30 * MINUTE)
    assert tick(NOON + 30 * MINUTE) == TickResult(fired=1)
    assert adjust.row_of(made) is None
    with refusal("adjustment", "too late"):
        adjust.take_back(made.pk, NOON + HOUR, by="ann")


# Beside the other rules


def test_ticks_that_are_made_up_for_obey_too() -> None:
    job = hourly(missed="all", missed_limit=10, overlap="allow", grace=30)
    adjust.skip(job.pk, BEFORE, **ANN)
    adjust.snooze(job.pk, BEFORE, tick=NOON + HOUR, until=NOON + 10 * HOUR, **ANN)
    tick(NOON + 2 * HOUR + 30 * MINUTE)
    due = [NOON + 2 * HOUR + 30 * MINUTE, NOON + 10 * HOUR, NOON + 2 * HOUR + 30 * MINUTE]
    assert rows(job, "state", "due_at") == list(
        zip([State.SKIPPED, State.SCHEDULED, State.SCHEDULED], due, strict=True)
    )


def test_what_the_old_schedule_owed_obeys_too() -> None:
    job = hourly()
    adjust.skip(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(
        schedule="30 * * * *", planned=False, owed_until=NOON + MINUTE, planned_from=NOON + MINUTE
    )
    plan(NOON + MINUTE)
    assert rows(job, "scheduled_for", "state") == [(NOON, State.SKIPPED)]


def test_all_shards_obey() -> None:
    job = hourly(fan_out="shards", shards=3, overlap="allow")
    adjust.snooze(job.pk, BEFORE, until=NOON + HOUR, **ANN)
    tick(NOON)
    assert rows(job, "due_at") == [(NOON + HOUR,)] * 3


def test_the_adjustments_of_another_job_are_none_of_its_business() -> None:
    mine, other = hourly(), hourly()
    adjust.skip(other.pk, BEFORE, **ANN)
    assert tick(NOON) == TickResult(fired=1, skipped=1)
    assert rows(mine, "state") == [(State.SCHEDULED,)]


def test_they_go_with_their_job() -> None:
    job = hourly()
    adjust.skip(job.pk, BEFORE, **ANN)
    delete_jobs([job.pk])
    assert not Adjustment.objects.exists()


def test_the_database_refuses_rows_that_make_no_sense() -> None:
    job = hourly()
    for fields in (
        {"action": "dance"},
        {"first": NOON + HOUR},
        {"action": Adjust.ARGUMENTS, "last": NOON + HOUR},
        {"action": Adjust.SNOOZE},
        {"moved_to": NOON + HOUR},
    ):
        row = {"action": Adjust.SKIP, "first": NOON, "last": NOON, "reason": "a", "made_by": "b"} | fields
        with pytest.raises(Exception, match="adjustment_"), transaction.atomic():
            Adjustment.objects.create(job=job, **row)


def test_of_a_stretch_of_missed_ticks_the_row_is_found() -> None:
    job = hourly(missed="skip", grace=1)
    made = adjust.skip(job.pk, BEFORE, tick=NOON + HOUR, **ANN)
    tick(NOON + 3 * HOUR + MINUTE)
    found = adjust.row_of(made)
    assert found is not None
    assert (found.state, found.scheduled_for) == (State.MISSED, NOON)


def test_runs_by_hand_at_the_same_moment_are_no_ticks() -> None:
    job = hourly(overlap="allow")
    insert([Birth(new_run_id(NOON), job.pk, NOON, trigger=Trigger.MANUAL)], NOON)
    made = adjust.skip(job.pk, BEFORE, **ANN)
    assert adjust.row_of(made) is None
    tick(NOON)
    assert sorted(rows(job, "state")) == [(State.SCHEDULED,), (State.SKIPPED,)]


# Calendars


def frozen(**fields: Any) -> Job:
    """A job whose tick at noon falls into a freeze from 11:30 to 14:15."""
    calendar = Calendar.objects.create(name="works")
    calendar.freezes.create(starts_at=NOON - 30 * MINUTE, ends_at=NOON + 135 * MINUTE, reason="move")
    return hourly(calendar=calendar, overlap="allow", **fields)


def test_a_tick_that_somebody_has_moved_does_not_meet_the_calendar() -> None:
    job = frozen()
    adjust.snooze(job.pk, BEFORE, until=NOON + HOUR, **ANN)
    tick(NOON)
    tick(NOON + HOUR)
    assert rows(job, "state", "due_at")[0] == (State.SCHEDULED, NOON + HOUR)
    assert job.runs.get(scheduled_for=NOON + HOUR).reason.startswith("calendar works: move")


def test_one_that_has_other_arguments_does() -> None:
    skipped = frozen()
    postponed = hourly(overlap="allow", on_calendar="postpone", calendar=skipped.calendar)
    for job in (skipped, postponed):
        adjust.give_arguments(job.pk, BEFORE, args=[7], **ANN)
    tick(NOON)
    assert skipped.runs.get().state == State.SKIPPED
    run = postponed.runs.get()
    assert (run.due_at, run.args) == (NOON + 135 * MINUTE, [7])
    assert run.note.startswith("other arguments by ann: the source is late; postponed by the calendar works")


def test_a_calendar_does_not_hold_back_what_somebody_runs_early() -> None:
    job = frozen()
    assert adjust.run_early(job.pk, BEFORE, **ANN).state == State.SCHEDULED


def test_the_tick_that_is_to_run_before_a_block_is_looked_at_in_time_after_an_early_run() -> None:
    job = frozen(on_calendar="before", next_run_at=NOON - HOUR)
    adjust.run_early(job.pk, NOON - 65 * MINUTE, **ANN)
    assert next_run_at(job) == NOON - 31 * MINUTE
    assert tick(NOON - 31 * MINUTE) == TickResult(fired=1)
    with refusal("tick", "the tick of 2026-07-01 12:00:00 UTC has its run already"):
        adjust.skip(job.pk, NOON - 30 * MINUTE, tick=NOON, **ANN)


# Races


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_a_tick_and_its_skip_at_the_same_moment_one_is_first(_: int) -> None:
    job = hourly()

    def skip() -> str:
        try:
            adjust.skip(job.pk, NOON, tick=NOON, **ANN)
        except RequestRefused as refused:
            return refused.why
        return ""

    def beat() -> str:
        return str(tick(NOON))

    why, *_beats = together(skip, beat, beat)
    tick(NOON)  # both beats may have left the row to whoever had locked it
    (run,) = job.runs.all()
    if why:
        assert "has gone by" in why
        assert run.state == State.SCHEDULED
    else:
        assert run.reason == "skipped by ann: the source is late"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_", range(5))
def test_run_early_and_two_beats_make_one_run_of_the_tick(_: int) -> None:
    job = hourly(overlap="queue_all")

    def early() -> str:
        try:
            return str(adjust.run_early(job.pk, NOON - timedelta(microseconds=1), tick=NOON, **ANN).pk)
        except RequestRefused as refused:
            return refused.why

    together(early, early, lambda: str(tick(NOON)), lambda: str(tick(NOON)))
    tick(NOON)
    assert job.runs.filter(scheduled_for=NOON).count() == 1
    assert next_run_at(job) == NOON + HOUR


def test_a_batch_asks_once_for_the_adjustments_of_all_its_jobs() -> None:
    jobs = [hourly() for _ in range(5)]
    for job in jobs[:3]:
        adjust.skip(job.pk, BEFORE, **ANN)
    assert asked_of_adjustments(lambda: tick(NOON)) == 1
    assert Run.objects.filter(state=State.SKIPPED).count() == 3


def test_a_batch_of_jobs_without_any_does_not_ask() -> None:
    adjusted = hourly()
    adjust.skip(adjusted.pk, BEFORE, **ANN)
    tick(NOON)
    assert not asked_of_adjustments(lambda: tick(NOON + HOUR)), "that of the tick before is over"
    for job in (adjusted, hourly()):
        Job.objects.filter(pk=job.pk).update(planned=False, planned_from=NOON + 2 * HOUR, owed_until=None)
    assert not asked_of_adjustments(lambda: plan(NOON + 2 * HOUR))


def asked_of_adjustments(act: Callable[[], object]) -> int:
    """How often the table of adjustments is asked meanwhile."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum('FROM "jobs_adjustment"' in query["sql"] for query in captured)
