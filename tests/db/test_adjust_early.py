"""One occurrence: the next tick runs early, and not again at its time."""

import pytest

from jobs import adjust
from jobs.models import Adjustment, Job
from jobs.plan import plan
from jobs.states import State, Trigger
from jobs.tick import TickResult, tick
from tests.db.occurrences import ANN, BEFORE, HOUR, MINUTE, hourly, next_run_at, refusal, rows
from tests.factories import NOON, queued_run

pytestmark = pytest.mark.django_db


def test_the_next_tick_runs_early_and_not_again() -> None:
    job = hourly()
    run = adjust.run_early(job.pk, BEFORE, **ANN)
    assert (run.scheduled_for, run.due_at, run.trigger, run.state) == (NOON, BEFORE, Trigger.SCHEDULE, State.SCHEDULED)
    assert run.note == "run early by ann: the source is late"
    assert next_run_at(job) == NOON + HOUR
    assert tick(NOON) == TickResult()
    assert job.runs.count() == 1
    assert tick(NOON + HOUR).skipped == 1, "the early run is still in the line"


def test_an_edit_does_not_bring_back_a_tick_that_has_run_early() -> None:
    job = hourly()
    adjust.run_early(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(planned=False, planned_from=BEFORE + MINUTE, description="another")
    assert plan(BEFORE + 2 * MINUTE).planned == 1
    assert next_run_at(job) == NOON + HOUR


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "replace", "allow"])
def test_even_if_the_tick_is_met_again_nothing_is_skipped_replaced_or_queued(overlap: str) -> None:
    job = hourly(overlap=overlap)
    run = adjust.run_early(job.pk, BEFORE, **ANN)
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON)
    assert tick(NOON) == TickResult()
    assert rows(job, "id", "state") == [(run.pk, State.SCHEDULED)]
    assert next_run_at(job) == NOON + HOUR


def test_it_is_refused_rather_than_wasted_when_the_overlap_policy_would_skip_it() -> None:
    job = hourly(overlap="skip")
    live = queued_run(BEFORE, job)
    with refusal("tick", f"it would be skipped now: the earlier run {live.pk} had not ended"):
        adjust.run_early(job.pk, BEFORE, **ANN)
    assert (next_run_at(job), job.runs.count(), Adjustment.objects.count()) == (NOON, 1, 0)


def test_it_waits_or_replaces_as_the_overlap_policy_says() -> None:
    waiting, replacing = hourly(overlap="queue_one"), hourly(overlap="replace")
    for job in (waiting, replacing):
        queued_run(BEFORE, job)
    assert adjust.run_early(waiting.pk, BEFORE, **ANN).state == State.WAITING
    early = adjust.run_early(replacing.pk, BEFORE, **ANN)
    assert early.state == State.WAITING
    assert replacing.runs.get(state=State.CANCELLED).reason == f"replaced by the run {early.pk}"


def test_all_shards_run_early() -> None:
    job = hourly(fan_out="shards", shards=3)
    run = adjust.run_early(job.pk, BEFORE, **ANN)
    assert rows(job, "shard", "group_id", "due_at") == [(shard, run.pk, BEFORE) for shard in range(3)]
    assert set(job.runs.values_list("note", flat=True)) == {"run early by ann: the source is late"}


def test_a_tick_that_no_worker_would_take_is_not_wasted() -> None:
    job = hourly(fan_out="workers")
    with refusal("tick", "no worker that serves the queue celery was alive"):
        adjust.run_early(job.pk, BEFORE, **ANN)
    assert next_run_at(job) == NOON


def test_only_the_next_tick_runs_early_and_not_one_that_is_due() -> None:
    job = hourly()
    with refusal("tick", "only the next tick"):
        adjust.run_early(job.pk, BEFORE, tick=NOON + HOUR, **ANN)
    with refusal("tick", "due already"):
        adjust.run_early(job.pk, NOON, **ANN)


def test_the_last_tick_of_a_job_may_run_early() -> None:
    job = hourly(ends_at=NOON + MINUTE)
    adjust.run_early(job.pk, BEFORE, **ANN)
    assert next_run_at(job) is None
    with refusal("tick", "no next tick"):
        adjust.skip(job.pk, BEFORE, **ANN)


def test_two_people_run_the_same_tick_early_one_does() -> None:
    job = hourly(overlap="allow")
    adjust.run_early(job.pk, BEFORE, tick=NOON, **ANN)
    words = "the tick of 2026-07-01 12:00:00 UTC has its run already; the next one is 2026-07-01 13:00:00 UTC"
    with refusal("tick", words):
        adjust.run_early(job.pk, BEFORE, tick=NOON, by="bob", why="me too")
