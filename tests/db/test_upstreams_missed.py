"""Missed ticks of upstreams: one row for the whole stretch below too, and single ones by the rule."""

from datetime import timedelta

import pytest

from jobs.models import Run
from jobs.states import State
from jobs.tick import tick
from tests.factories import NOON, planned_job
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_a_stretch_of_missed_ticks_is_one_row_below_too() -> None:
    root = planned_job(NOON - 3 * HOUR, name="load", missed="skip", grace=1)
    job = job_after(root)
    below = job_after(job)
    tick(NOON + timedelta(seconds=30))
    missed = root.runs.get(state=State.MISSED)
    assert missed.ticks == 181
    for child in (job, below):
        run = child.runs.get(state=State.MISSED)
        assert (run.scheduled_for, run.last_scheduled_for, run.ticks) == (NOON - 3 * HOUR, NOON, 181)
        assert run.reason == f"the upstream load was missed: {missed.reason}"
    settle_all()
    assert Run.objects.count() == 3


def test_a_missed_stretch_has_below_only_what_all_upstreams_have() -> None:
    frequent = planned_job(NOON - 3 * HOUR, schedule="* * * * *", missed="skip", grace=1)
    rare = planned_job(NOON - 3 * HOUR, schedule="0 * * * *", missed="skip", grace=1)
    job = job_after(frequent, rare)
    tick(NOON + timedelta(seconds=30))
    run = job.runs.get()
    assert (run.scheduled_for, run.last_scheduled_for, run.ticks) == (NOON - 3 * HOUR, NOON, 4)


def test_a_tick_that_one_upstream_missed_in_a_stretch_is_skipped() -> None:
    missing = planned_job(NOON - 3 * HOUR, name="missing", schedule="* * * * *", missed="skip", grace=1)
    running = planned_job(NOON, name="running", schedule="0 12 * * *", grace=3600)
    job = job_after(missing, running)
    tick(NOON + timedelta(seconds=30))
    end(of(running), now=NOON + MINUTE)
    settle_all(NOON + MINUTE)
    run = of(job)
    assert run.state in (State.SKIPPED, State.MISSED)
    assert "the upstream missing was missed" in run.reason
    assert job.runs.count() == 1


def test_what_is_made_up_for_takes_its_runs_along() -> None:
    root = planned_job(NOON - 3 * HOUR, schedule="0 * * * *", missed="latest", grace=1)
    job = job_after(root)
    now = NOON + timedelta(seconds=30)
    tick(now)
    assert of(job, NOON).upstream == "pending"
    assert job.runs.get(state=State.MISSED).ticks == 3
