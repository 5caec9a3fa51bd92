"""A message is only a hint: lost, doubled, late or forged, each run is executed once per attempt."""

import signal
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from celery import current_app
from django.db import connection
from redis import Redis

from jobs.births import Birth, insert, new_run_id
from jobs.broker import ATTEMPT
from jobs.clock import database_now
from jobs.dispatch import Message, dispatch
from jobs.exceptions import BrokerUnavailable
from jobs.models import Job, Run
from jobs.states import State, Trigger
from jobs.trigger import run_now
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.factories import make_job
from tests.process.system import System, states
from tests.waiting import wait_until


def note_job() -> Job:
    """A job whose executions are seen."""
    return make_job(task="probe.note", args=[], enabled=False, overlap="allow")


def make_runs(job: Job, number: int) -> None:
    """So many runs, due now."""
    now = database_now()
    insert([Birth(new_run_id(now), job.pk, now, trigger=Trigger.MANUAL) for _ in range(number)], now)


def finish_all(system: System, number: int, within: float = 60) -> None:
    """Pump until so many runs have succeeded, and check that each was executed exactly once."""
    wait_until(lambda: system.pump() and states()[State.SUCCEEDED] == number, within, f"{number} runs have succeeded")
    executed = [line["run"] for line in system.seen("start")]
    assert len(executed) == len(set(executed)) == number


def test_redis_flushed_with_1000_runs_queued(system: System, redis: Redis) -> None:
    make_runs(note_job(), 1000)
    system.pump()
    wait_until(lambda: system.pump() and states()[State.QUEUED] == 1000, 20, "1,000 runs are queued")
    redis.flushall()
    # What happens 30 s later.
    Run.objects.update(deadline_at=database_now() - timedelta(seconds=1))
    system.worker()
    finish_all(system, 1000)
    assert set(Run.objects.values_list("resends", flat=True)) == {1}


def test_a_duplicate_message_is_dropped(system: System) -> None:
    make_runs(note_job(), 20)
    messages: list[Message] = []
    dispatch(database_now(), messages.extend)
    for _ in range(3):
        system.broker.publish(messages)
    worker = system.worker()
    finish_all(system, 20)
    wait_until(lambda: worker.text().count("received") >= 60, 20, "all 60 messages were taken")
    assert states() == {State.SUCCEEDED: 20}
    assert len(system.seen("start")) == 20


def test_publish_raises_and_was_delivered_all_the_same(system: System) -> None:
    make_runs(note_job(), 20)

    def deliver_and_raise(messages: Sequence[Message]) -> None:
        system.broker.publish(messages)
        raise BrokerUnavailable("the answer did not come")

    try:
        dispatch(database_now(), deliver_and_raise)
    except BrokerUnavailable:
        assert states() == {State.SCHEDULED: 20}
    system.worker()
    finish_all(system, 20)


def test_a_frozen_redis_delays_runs_and_doubles_none(system: System, redis_server: RedisServer) -> None:
    system.worker()
    system.broker.publish([])
    make_runs(note_job(), 20)
    redis_server.pause()
    try:
        system.pump()
        assert states() == {State.SCHEDULED: 20}, "the publish gave up in time"
    finally:
        redis_server.resume()
    finish_all(system, 20)


def test_a_forged_message_cannot_run_another_task_with_a_runs_arguments(system: System) -> None:
    run = run_now(make_job(task="probe.note", args=[], enabled=False).pk, database_now())
    worker = system.worker()
    forged = {ATTEMPT: 1}
    current_app.send_task("probe.add", task_id=str(run.pk), headers=forged)
    current_app.send_task("probe.add", task_id=str(uuid4()), headers=forged)
    wait_until(lambda: worker.text().count("] ignored") == 2, 20, "both forged messages were dropped")
    run.refresh_from_db()
    assert run.state == State.SCHEDULED
    finish_all(system, 1)


def test_an_ordinary_celery_task_is_left_alone(system: System) -> None:
    worker = system.worker()
    current_app.send_task("probe.add", [20, 22])
    current_app.send_task("probe.self_retry", countdown=0, kwargs={"countdown": 0.1})
    wait_until(lambda: ": 42\n" in worker.text(), 20, "it has returned 42")
    wait_until(lambda: "again, please" in worker.text(), 20, "Celery's own retry works as ever")
    assert not Run.objects.exists()


def test_a_task_tells_its_progress_and_knows_its_run(system: System) -> None:
    system.worker()
    go_on = system.folder / "go on"
    job = make_job(task="probe.progress", args=[str(go_on)], enabled=False)
    run = run_now(job.pk, database_now())
    wait_until(lambda: system.pump() and Run.objects.filter(pk=run.pk, progress=0.25).exists(), 20, "it is a quarter")
    go_on.touch()
    wait_until(lambda: Run.objects.filter(pk=run.pk, state=State.SUCCEEDED).exists(), 20, "it has ended")
    run.refresh_from_db()
    assert (run.progress, run.progress_message) == (1.0, "done")
    assert run.result == {
        "job": job.name,
        "attempt": 1,
        "scheduled_for": str(run.scheduled_for),
        "id": str(run.pk),
    }


def test_a_task_can_see_that_it_was_cancelled(system: System) -> None:
    system.worker("-P", "threads")
    run = run_now(make_job(task="probe.until_cancelled", args=[], enabled=False).pk, database_now())
    wait_until(lambda: system.pump() and system.seen("start"), 20, "it executes")
    Run.objects.filter(pk=run.pk).update(state=State.CANCELLED, finished_at=database_now(), deadline_at=None)
    wait_until(lambda: system.seen("saw cancel"), 5, "it has seen the cancel")
    run.refresh_from_db()
    assert run.state == State.CANCELLED


def test_a_worker_survives_the_restart_of_postgres_and_of_redis(
    system: System, postgres_server: Postgres, redis_server: RedisServer
) -> None:
    worker = system.worker()
    job = note_job()
    make_runs(job, 10)
    finish_all(system, 10)
    connection.close()
    postgres_server.restart()
    make_runs(job, 10)
    finish_all(system, 20)
    redis_server.restart()
    make_runs(job, 10)
    finish_all(system, 30)
    redis_server.stop()
    redis_server.start()
    make_runs(job, 10)
    finish_all(system, 40)
    assert worker.running
    assert worker.stop() == 0


def test_runs_of_all_priorities_arrive_with_their_own_limits(system: System) -> None:
    for priority in (0, 3, 9):
        make_runs(make_job(task="probe.note", args=[], priority=priority, timeout=7, enabled=False), 1)
    worker = system.worker()
    finish_all(system, 3)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_the_next_attempt_goes_on_from_the_checkpoint(system: System) -> None:
    system.worker()
    job = make_job(task="probe.checkpoint", args=[2, 5], enabled=False, retry_policy="immediate", max_retries=1)
    run = run_now(job.pk, database_now())
    wait_until(lambda: system.pump() and not Run.objects.live().exists(), 20, "the run has ended")
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)
    assert run.result == [3, 4], "0 to 2 were counted by the first attempt"
