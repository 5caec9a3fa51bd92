"""Pause, resume and cancel a backfill, also when whoever asked for it died in the middle."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from jobs import backfill, transitions
from jobs.admit import admit
from jobs.backfill import advance
from jobs.control import pause_run
from jobs.models import Backfill, Run
from jobs.states import State
from tests.backfills import end, finish_all, hourly, started
from tests.connections import locks_held, together
from tests.factories import NOON, claimant_of, make_worker, reload, ticket_of

pytestmark = pytest.mark.django_db


def in_all_stages(**fields: Any) -> tuple[Backfill, dict[State, Run]]:
    """A backfill with a run in each live state that one can be in before somebody pauses it, and one that has ended."""
    job = hourly(**fields)
    begun = started(job, 9, 1, at_once=4)
    assert advance(NOON).made == 4
    scheduled, queued, running, ended = job.runs.order_by("scheduled_for")
    assert transitions.queue([ticket_of(queued)], NOON, 30) == 1
    assert transitions.claim(ticket_of(running), running.task, claimant_of(make_worker()), 40, now=NOON)
    end(ended, State.SUCCEEDED)
    stages = {State.SCHEDULED: scheduled, State.QUEUED: queued, State.RUNNING: running, State.SUCCEEDED: ended}
    return begun, stages


def _nobody(run_id: UUID) -> None:
    """Ask no worker."""


def of(begun: Backfill) -> Backfill:
    return Backfill.objects.get(pk=begun.pk)


def test_a_pause_makes_no_more_runs_and_starts_none_that_waits() -> None:
    begun, stages = in_all_stages()
    assert backfill.pause(begun.pk, "ann")
    assert (of(begun).state, of(begun).reason) == ("paused", "paused by ann")
    assert {before: reload(run).state for before, run in stages.items()} == {
        State.SCHEDULED: State.HELD,
        State.QUEUED: State.HELD,
        State.RUNNING: State.RUNNING,
        State.SUCCEEDED: State.SUCCEEDED,
    }
    assert advance(NOON).made == 0
    assert (admit(NOON), Run.objects.count()) == (0, 4)
    assert not backfill.pause(begun.pk, "bob"), "it was paused already"


def test_a_resume_goes_on_with_what_was_held_and_makes_more() -> None:
    begun, stages = in_all_stages()
    backfill.pause(begun.pk, "ann")
    assert backfill.resume(begun.pk)
    assert (of(begun).state, of(begun).reason) == ("running", "")
    assert admit(NOON) == 2
    assert {reload(stages[state]).state for state in (State.SCHEDULED, State.QUEUED)} == {State.SCHEDULED}
    assert advance(NOON).made == 1, "one had ended"
    assert not backfill.resume(begun.pk), "it was not paused"


def test_a_run_that_somebody_else_has_paused_stays_so() -> None:
    begun, stages = in_all_stages()
    assert pause_run(stages[State.SCHEDULED].pk, "bob")
    backfill.pause(begun.pk, "ann")
    backfill.resume(begun.pk)
    assert reload(stages[State.SCHEDULED]).state == State.HELD
    assert reload(stages[State.QUEUED]).state == State.WAITING


def test_the_next_attempt_of_a_run_that_had_begun_waits_for_the_resume_too() -> None:
    begun, stages = in_all_stages()
    backfill.pause(begun.pk, "ann")
    assert transitions.try_again(ticket_of(stages[State.RUNNING]), [State.RUNNING], 0, {}, NOON)
    advance(NOON)
    assert reload(stages[State.RUNNING]).state == State.HELD
    backfill.resume(begun.pk)
    assert admit(NOON) == 3


def test_a_cancel_cancels_what_has_not_ended_and_stops_what_executes() -> None:
    begun, stages = in_all_stages()
    stopped: list[UUID] = []
    assert backfill.cancel(begun.pk, "ann", NOON, stopped.append)
    now = of(begun)
    assert (now.state, now.reason, now.finished_at) == ("cancelled", "cancelled by ann", NOON)
    assert stopped == [stages[State.RUNNING].pk]
    for state in (State.SCHEDULED, State.QUEUED, State.RUNNING):
        run = reload(stages[state])
        assert (run.state, run.reason) == (State.CANCELLED, "cancelled by ann, with its backfill")
    assert reload(stages[State.SUCCEEDED]).state == State.SUCCEEDED
    assert advance(NOON).made == 0
    assert not backfill.cancel(begun.pk, "bob", NOON, stopped.append)
    assert not backfill.pause(begun.pk, "bob")
    assert not backfill.resume(begun.pk)


def test_a_paused_one_can_be_cancelled_with_the_runs_that_are_held() -> None:
    begun, stages = in_all_stages()
    backfill.pause(begun.pk, "ann")
    assert backfill.cancel(begun.pk, "ann", NOON, lambda _: None)
    assert reload(stages[State.SCHEDULED]).state == State.CANCELLED


@pytest.mark.parametrize(("state", "becomes"), [("paused", State.HELD), ("cancelled", State.CANCELLED)])
def test_when_whoever_asked_died_in_the_middle_the_beat_goes_on_with_it(state: str, becomes: State) -> None:
    begun, stages = in_all_stages()
    Backfill.objects.filter(pk=begun.pk).update(state=state, reason=f"{state} by ann")
    advance(NOON)
    assert {reload(stages[was]).state for was in (State.SCHEDULED, State.QUEUED)} == {becomes}
    assert (of(begun).finished_at is None) == (state == "paused")


def test_progress_tells_ticks_and_runs() -> None:
    begun, stages = in_all_stages()
    end(stages[State.SCHEDULED], State.FAILED)
    told = backfill.progress(of(begun))
    assert (told.total, told.seen, told.made) == (9, 4, 4)
    assert (told.succeeded, told.failed, told.live) == (1, 1, 2)
    assert sum(told.states.values()) == 4


@pytest.mark.django_db(transaction=True)
def test_a_backfill_or_a_job_that_somebody_has_locked_is_left_to_the_next_round() -> None:
    job = hourly()
    begun = started(job)
    with locks_held("SELECT FROM jobs_backfill WHERE id = %s FOR UPDATE", [begun.pk]):
        assert advance(NOON).made == 0
    with locks_held("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [job.pk]):
        assert advance(NOON).made == 0
    assert advance(NOON).made == 5


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_make_each_run_once() -> None:
    jobs = [hourly() for _ in range(3)]
    begun = [started(job, 30, 1, at_once=4) for job in jobs]
    for _ in range(12):
        together(*[lambda: advance(NOON)] * 3)
        for one in begun:
            assert backfill.progress(one).live <= 4
        finish_all(list(Run.objects.live()))
    for job in jobs:
        ticks = list(job.runs.values_list("scheduled_for", flat=True))
        assert len(ticks) == len(set(ticks)) == 30


@pytest.mark.django_db(transaction=True)
def test_a_cancel_in_the_same_instant_as_a_round_leaves_no_live_run() -> None:
    for _ in range(5):
        begun = started(hourly(), at_once=3)
        together(partial(advance, NOON), partial(backfill.cancel, begun.pk, "ann", NOON, _nobody))
        assert backfill.progress(begun).live == 0
        assert of(begun).state == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_a_pause_in_the_same_instant_as_a_round_or_a_resume_leaves_no_run_stuck() -> None:
    for _ in range(5):
        begun = started(hourly(), at_once=3)
        together(partial(advance, NOON), partial(backfill.pause, begun.pk, "ann"))
        advance(NOON)
        assert set(Run.objects.filter(backfill=begun).values_list("state", flat=True)) <= {State.HELD}
        together(partial(advance, NOON), partial(backfill.resume, begun.pk))
        assert not Run.objects.filter(backfill=begun, state=State.HELD).exists()
        assert of(begun).state == "running"
