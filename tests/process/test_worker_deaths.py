"""Workers and their processes die, freeze and come back; every run ends, and no two attempts overlap."""

import os
import signal
import time
from datetime import timedelta
from uuid import UUID

import psutil
import pytest
from celery import current_app
from redis import Redis

from jobs.clock import database_now
from jobs.control import cancel_run
from jobs.models import Run, Worker
from jobs.models.attempt import Outcome
from jobs.states import State
from jobs.trigger import run_now
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.factories import make_job
from tests.process.system import Program, System
from tests.waiting import wait_until

FAST = {"lease": 3.0, "heartbeat": 0.5, "lease_margin": 1.0}
"""A lease as promised, five times faster."""


def start_nap(system: System, seconds: float = 60, **job: object) -> Run:
    """A run that sleeps at its first attempt, executing."""
    fields = {"task": "probe.nap", "args": [seconds, 1], "enabled": False} | job
    run = run_now(make_job(**fields).pk, database_now())
    wait_until(lambda: system.pump() and system.seen("start"), 20, "the first attempt executes")
    return run


def succeeded(system: System, run: Run, within: float) -> Run:
    """The run, when it has succeeded."""
    wait_until(
        lambda: system.pump() and Run.objects.filter(pk=run.pk, state=State.SUCCEEDED).exists(), within, "it succeeds"
    )
    run.refresh_from_db()
    return run


def assert_no_overlap(system: System) -> None:
    """The second attempt began after the first one's process had ended: its own words are `start` twice, one `end`."""
    assert [(line["event"], line["attempt"]) for line in system.seen()] == [("start", 1), ("start", 2), ("end", 2)]


def test_a_killed_pool_process_is_noticed_within_5_seconds(system: System) -> None:
    worker = system.worker()
    run = start_nap(system)
    os.kill(system.seen("start")[0]["pid"], signal.SIGKILL)
    wait_until(run.attempts.exists, 5, "the loss is in the ledger")
    assert run.attempts.get().outcome == Outcome.LOST
    run = succeeded(system, run, 20)
    assert (run.attempt, run.losses, run.retries) == (2, 1, 0)
    assert_no_overlap(system)
    assert worker.running


def test_a_killed_pool_process_is_noticed_while_redis_is_frozen(system: System, redis_server: RedisServer) -> None:
    """Celery's own look at its processes then waits for Redis."""
    system.worker()
    run = start_nap(system)
    redis_server.pause()
    try:
        time.sleep(4)  # until an event of the worker's waits for Redis
        os.kill(system.seen("start")[0]["pid"], signal.SIGKILL)
        wait_until(run.attempts.exists, 2.5, "the loss is in the ledger")
    finally:
        redis_server.resume()
    assert succeeded(system, run, 30).losses == 1
    assert_no_overlap(system)


def test_a_killed_worker_is_noticed_within_17_seconds(system: System) -> None:
    worker = system.worker()
    run = start_nap(system)
    system.worker()
    os.kill(worker.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: system.pump() and run.attempts.exists(), 17, "the loss is in the ledger")
    assert time.monotonic() - killed_at > 9, "the lease must not end before its time"
    assert succeeded(system, run, 20).losses == 1
    assert_no_overlap(system)
    assert Worker.objects.count() == 1


def test_a_frozen_worker_wakes_as_a_zombie_and_changes_nothing(system: System) -> None:
    frozen = system.worker(carillon=FAST)
    run = start_nap(system, seconds=6)
    frozen.freeze()
    system.worker(carillon=FAST)
    run = succeeded(system, run, 20)
    frozen.thaw()
    wait_until(lambda: "declared dead" in frozen.text(), 10, "it learns that it was declared dead")
    wait_until(lambda: Worker.objects.count() == 2, 10, "it has registered anew")
    finished_at, worker_name = run.finished_at, run.worker_name
    run.refresh_from_db()
    assert (run.state, run.attempt, run.finished_at, run.worker_name) == (State.SUCCEEDED, 2, finished_at, worker_name)
    assert_no_overlap(system)
    again = succeeded(system, run_now(make_job(enabled=False).pk, database_now()), 20)
    assert again.result == 3


def test_a_frozen_parent_loses_its_run_and_the_child_kills_itself_in_time(system: System) -> None:
    parent = system.worker(carillon=FAST)
    run = start_nap(system)
    child = psutil.Process(system.seen("start")[0]["pid"])
    parent.signal(signal.SIGSTOP)
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 4, "the child has ended itself"
    )
    assert Run.objects.get(pk=run.pk).attempt == 1, "the child ends before the run is given to another"
    system.worker(carillon=FAST)
    assert succeeded(system, run, 20).attempt == 2
    assert_no_overlap(system)


def test_a_worker_that_cannot_reach_the_database_kills_what_it_runs(system: System, postgres_server: Postgres) -> None:
    worker = system.worker(carillon=FAST)
    run = start_nap(system)
    child = psutil.Process(system.seen("start")[0]["pid"])
    postgres_server.pause()
    try:
        wait_until(
            lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 4, "it has killed the child"
        )
    finally:
        postgres_server.resume()
    assert succeeded(system, run, 30).attempt == 2
    assert_no_overlap(system)
    assert worker.running


def test_a_worker_killed_before_the_claim_leaves_the_run_to_rescue(system: System, redis: Redis) -> None:
    run = run_now(make_job(enabled=False).pk, database_now())
    system.pump()
    redis.flushall()
    system.pump()
    run.refresh_from_db()
    assert run.state == State.QUEUED
    Run.objects.filter(pk=run.pk).update(deadline_at=database_now() - timedelta(seconds=1))
    system.pump()
    system.worker()
    run = succeeded(system, run, 20)
    assert (run.attempt, run.resends, run.losses) == (1, 1, 0)


@pytest.mark.parametrize(("number", "outcome"), [(signal.SIGQUIT, Outcome.GIVEN_BACK), (signal.SIGTERM, None)])
def test_a_stopping_worker_gives_back_or_finishes(
    system: System, number: signal.Signals, outcome: Outcome | None
) -> None:
    worker = system.worker()
    run = start_nap(system, seconds=3)
    worker.signal(number)
    worker.wait(15)
    run.refresh_from_db()
    if outcome is None:
        assert (run.state, run.attempt) == (State.SUCCEEDED, 1)
    else:
        assert (run.state, run.attempt, run.losses) == (State.SCHEDULED, 2, 0)
        assert run.attempts.get().outcome == outcome
    assert not Worker.objects.exists()


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_other_pools_heartbeat_while_they_execute(system: System, pool: str) -> None:
    worker = system.worker("-P", pool, carillon=FAST)
    assert "this pool cannot kill" in worker.text()
    run = start_nap(system, seconds=5)
    run = succeeded(system, run, 20)
    assert (run.attempt, run.losses) == (1, 0)


def test_cancel_stops_a_running_task_and_nothing_follows(system: System) -> None:
    worker = system.worker(carillon=FAST)
    run = start_nap(system)
    child = psutil.Process(system.seen("start")[0]["pid"])
    cancel(run)
    wait_until(lambda: not child.is_running(), 10, "the child is killed")
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.CANCELLED, "cancelled by anna")
    assert not run.attempts.exists()
    assert worker.running


def test_a_cancel_is_seen_by_a_worker_that_was_away(system: System) -> None:
    run = run_now(make_job(task="probe.note", args=[], enabled=False).pk, database_now())
    system.pump()
    cancel(run)
    witness_later_runs(system, system.worker())
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert str(run.pk) not in {line["run"] for line in system.seen()}


def witness_later_runs(system: System, worker: Program) -> None:
    """Let a run that was queued after all others execute, so that theirs have had their turn."""
    later = run_now(make_job(task="probe.note", args=[], enabled=False).pk, database_now())
    succeeded(system, later, 20)
    assert worker.running


def cancel(run: Run) -> None:
    """As the admin does it."""

    def revoke(run_id: UUID) -> None:
        current_app.control.revoke(str(run_id), terminate=True)

    assert cancel_run(run.pk, "anna", revoke)
