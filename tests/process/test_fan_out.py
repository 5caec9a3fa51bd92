"""Shards and one run on each worker, with real beats and workers."""

from jobs.clock import database_now
from jobs.models import Run
from jobs.states import State
from jobs.trigger import run_now
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_a_run_on_each_worker_reaches_each_and_the_one_of_a_dead_worker_fails(system: System) -> None:
    first, second = system.worker(), system.worker("-Q", "celery")
    system.beat()
    system.beat()
    quick = make_job(task="probe.shard", args=[], fan_out="workers", enabled=False, overlap="allow")
    run_now(quick.pk, database_now())
    done = quick.runs.filter(state=State.SUCCEEDED)
    wait_until(lambda: done.count() == 2, 20, "both workers have run theirs")
    assert sorted(done.values_list("result", flat=True)) == [[0, 2, "w0@test"], [1, 2, "w1@test"]]

    slow = make_job(task="probe.shard", args=[2], fan_out="workers", enabled=False, overlap="allow")
    run_now(slow.pk, database_now())
    wait_until(lambda: len(system.seen("start")) == 4, 20, "both execute")
    second.kill()
    kept = Run.objects.get(job=slow, for_worker="w0@test")
    wait_until(lambda: Run.objects.filter(pk=kept.pk, state=State.SUCCEEDED).exists(), 20, "the living one has ended")
    lost = Run.objects.filter(job=slow, for_worker="w1@test", state=State.FAILED)
    wait_until(lost.exists, 70, "the one of the dead worker has failed")
    assert lost.get().reason == "the worker w1@test is gone"
    assert first.running


def test_shards_are_executed_by_whoever_is_free_each_once(system: System) -> None:
    system.worker()
    system.worker()
    system.beat()
    job = make_job(task="probe.shard", args=[0.2], fan_out="shards", shards=8, enabled=False)
    run_now(job.pk, database_now())
    wait_until(lambda: job.runs.filter(state=State.SUCCEEDED).count() == 8, 30, "all shards have run")
    results = sorted(job.runs.values_list("result", flat=True))
    assert [result[:2] for result in results] == [[index, 8] for index in range(8)]
    assert len(system.seen("start")) == 8
