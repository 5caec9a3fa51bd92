"""A backfill of a job whose ticks are split: into shards, or into a run on each worker."""

from datetime import timedelta

import pytest

from jobs import backfill
from jobs.backfill import advance
from jobs.models import Backfill, Run
from jobs.states import State, Trigger
from tests.backfills import HOUR, end, finish_all, hourly, live, started, tick_row
from tests.factories import NOON, make_worker

pytestmark = pytest.mark.django_db


def test_every_shard_of_a_tick_is_made_and_at_once_counts_ticks() -> None:
    job = hourly(fan_out="shards", shards=3)
    begun = started(job, at_once=2)
    assert advance(NOON).made == 6
    made = live(job)
    assert [(run.shard, run.shards) for run in made if run.scheduled_for == NOON - 5 * HOUR] == [(0, 3), (1, 3), (2, 3)]
    assert len({run.group_id for run in made}) == 2
    finish_all(made[:2])
    assert advance(NOON).made == 0, "a shard of each tick is live"
    finish_all(made[2:3])
    assert advance(NOON).made == 3
    assert Backfill.objects.get(pk=begun.pk).seen == 3


def test_of_a_split_tick_only_the_shards_that_failed_are_run_again() -> None:
    job = hourly(fan_out="shards", shards=3)
    started(job, 1, 1)
    advance(NOON - 10 * timedelta(minutes=1))
    first = list(job.runs.order_by("shard"))
    for run, state in zip(first, (State.SUCCEEDED, State.FAILED, State.CANCELLED), strict=True):
        end(run, state)
    advance(NOON)
    again = started(job, 1, 1, redo="failed")
    assert advance(NOON).made == 2
    made = list(Run.objects.filter(backfill=again).order_by("shard"))
    assert [(run.shard, run.shards, run.retry_of) for run in made] == [(1, 3, first[1].pk), (2, 3, first[2].pk)]
    assert {run.group_id for run in made} == {made[0].pk}
    finish_all(made)
    advance(NOON + timedelta(minutes=1))
    backfill.start(job.pk, backfill.Asked(NOON - HOUR, NOON - HOUR, "failed", why="a test"), "ann", NOON)
    assert advance(NOON + timedelta(minutes=2)).made == 0, "now all have succeeded"


def test_a_tick_that_was_skipped_before_it_was_split_is_split_now() -> None:
    job = hourly(fan_out="shards", shards=3)
    skipped = tick_row(job, NOON - HOUR, State.SKIPPED)
    started(job, 1, 1, redo="failed")
    assert advance(NOON).made == 3
    assert set(job.runs.filter(trigger=Trigger.RETRY).values_list("shard", "retry_of")) == {
        (shard, skipped.pk) for shard in range(3)
    }


def test_a_run_on_each_worker_is_made_for_those_that_live_now() -> None:
    job = hourly(fan_out="workers")
    begun = started(job, 2, 1, at_once=1)
    assert advance(NOON).made == 2, "without a worker the ledger says so, and it goes on"
    assert set(job.runs.values_list("state", flat=True)) == {State.SKIPPED}
    assert Backfill.objects.get(pk=begun.pk).state == "done"
    for name in ("a@test", "b@test"):
        worker = make_worker(NOON, name=name)
        type(worker).objects.filter(pk=worker.pk).update(direct_queue=f"{name}.dq", queues=["celery"])
    started(job, 2, 1, redo="failed")
    assert advance(NOON).made == 4
    assert set(job.runs.filter(trigger=Trigger.RETRY).values_list("for_worker", "queue")) == {
        ("a@test", "a@test.dq"),
        ("b@test", "b@test.dq"),
    }
