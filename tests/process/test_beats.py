"""Beats: many at once make each run once, a dead leader is replaced in time, and what is away is survived in place."""

import os
import signal
import time
from datetime import timedelta

from django.core.management import CommandError, call_command
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
from pytest_django import Settings
from redis import Redis

from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.factories import make_job, planned_job
from tests.process.system import System, states
from tests.waiting import wait_until


def many_due_jobs(number: int) -> None:
    """Jobs with one tick each, which is due now."""
    due = database_now().replace(microsecond=0)
    template = planned_job(due, schedule=f"@at {due:%Y-%m-%dT%H:%M:%S}", timezone="UTC", task="probe.note", args=[])
    columns = [f.column for f in Job._meta.concrete_fields if f.column not in ("id", "name")]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO jobs_job (name, {names}) SELECT 'many ' || n, {names} "
            "FROM jobs_job, generate_series(2, %s) AS n WHERE id = %s",
            [number, template.pk],
        )


def runs() -> int:
    """How many runs there are."""
    return Run.objects.count()


def assert_each_job_has_one_run(number: int) -> None:
    """Every job one run, and each of them was sent."""
    assert runs() == number
    assert Run.objects.values("job_id").distinct().count() == number


def test_two_beats_and_10000_due_jobs_make_10000_runs_none_twice(system: System, redis: Redis) -> None:
    many_due_jobs(10_000)
    beats = [system.beat(), system.beat()]
    wait_until(lambda: states()[State.QUEUED] == 10_000, 60, "10,000 runs are queued")
    assert_each_job_has_one_run(10_000)
    assert redis.llen("celery") + redis.llen("celery\x06\x163") == 10_000
    assert all(beat.running for beat in beats)


def test_without_the_lock_two_beats_still_make_each_run_once(system: System, redis_server: RedisServer) -> None:
    many_due_jobs(10_000)
    redis_server.stop()
    try:
        beats = [system.beat(), system.beat()]
        wait_until(lambda: runs() >= 10_000, 60, "10,000 runs are recorded")
        assert states() == {State.SCHEDULED: 10_000}
    finally:
        redis_server.start()
    wait_until(lambda: states()[State.QUEUED] == 10_000, 60, "they are sent when Redis is back")
    assert_each_job_has_one_run(10_000)
    for beat in beats:
        assert beat.running
        assert beat.text().count("Redis is away") == 1
        assert beat.text().count("Redis is back") == 1
        assert "beat is now alone" in beat.text()


def test_a_leader_killed_in_mid_batch_is_replaced_within_3_seconds(system: System) -> None:
    system.beat()
    leader = system.leader()
    standby = system.beat()
    wait_until(lambda: "now standby" in standby.text(), 30, "the standby stands by")
    many_due_jobs(20_000)
    wait_until(lambda: 0 < runs() < 20_000, 30, "the leader is in the middle")
    os.kill(leader.pid, signal.SIGKILL)
    killed_at, made = time.monotonic(), runs()
    assert made < 20_000, "it was killed in the middle"
    wait_until(lambda: runs() > made, 3, "the standby emits")
    assert time.monotonic() - killed_at <= 3
    wait_until(lambda: states()[State.QUEUED] == 20_000, 60, "everything is queued")
    assert_each_job_has_one_run(20_000)


def test_a_leader_that_is_stopped_hands_over_within_1_second(system: System) -> None:
    first = system.beat()
    system.leader()
    second = system.beat()
    wait_until(lambda: "now standby" in second.text(), 30, "the second stands by")
    first.signal(signal.SIGTERM)
    asked_at = time.monotonic()
    wait_until(lambda: "now leader" in second.text(), 5, "the second leads")
    assert time.monotonic() - asked_at < 1
    assert first.wait() == 0
    make_job(schedule="* * * * * *")
    wait_until(runs, 5, "the second works")


def test_an_edit_and_a_new_job_take_effect_within_a_second(system: System) -> None:
    system.beat()
    system.leader()
    job = make_job(schedule="0 0 1 1 *")
    wait_until(lambda: Job.objects.get(pk=job.pk).next_run_at, 1, "the new job is planned")
    job.schedule = "* * * * * *"
    job.save()
    wait_until(runs, 2.1, "the edited job has run: it was planned within a second, and its tick came within the next")


def test_a_beat_survives_the_restart_of_postgres_and_of_redis(
    system: System, postgres_server: Postgres, redis_server: RedisServer
) -> None:
    make_job(schedule="* * * * * *", missed="latest", overlap="allow")
    beat = system.beat()
    wait_until(runs, 20, "it works")
    connection.close()
    postgres_server.restart()
    made = runs()
    wait_until(lambda: runs() > made + 1, 15, "it goes on after PostgreSQL")
    redis_server.restart()
    wait_until(lambda: "lock was lost" in beat.text() or "Redis is back" in beat.text(), 15, "it has noticed")
    made = runs()
    wait_until(lambda: runs() > made + 1, 15, "it goes on after Redis")
    assert beat.running
    # None, if the restart fell between two questions.
    assert beat.text().count("the database is away") == beat.text().count("the database is back") <= 1
    assert_no_tick_is_lost()


def assert_no_tick_is_lost() -> None:
    """Each second from the first to the last has its row, or lies in a stretch of missed ones."""
    covered = 0
    rows = Run.objects.order_by("scheduled_for")
    for run in rows:
        covered += run.ticks
    first, last = rows[0].scheduled_for, max(run.last_scheduled_for or run.scheduled_for for run in rows)
    assert covered == (last - first).total_seconds() + 1


def test_what_no_beat_was_there_for_is_decided_by_the_policy(system: System) -> None:
    hour_ago = database_now() - timedelta(hours=1)
    skip = planned_job(hour_ago, schedule="* * * * *", missed="skip", grace=1)
    latest = planned_job(hour_ago, schedule="* * * * *", missed="latest", grace=1)
    system.beat()
    wait_until(lambda: Job.objects.filter(next_run_at__gt=database_now()).count() == 2, 20, "both have caught up")
    stretch = skip.runs.get(ticks__gt=1)
    assert (stretch.state, stretch.ticks >= 59) == (State.MISSED, True)
    assert stretch.last_scheduled_for is not None
    assert not skip.runs.exclude(state=State.MISSED).filter(scheduled_for__lte=stretch.last_scheduled_for).exists()
    assert latest.runs.exclude(state=State.MISSED).count() == 1
    assert sum(run.ticks for run in latest.runs.all()) == sum(run.ticks for run in skip.runs.all())


def test_periodic_tasks_of_django_celery_beat_fire_from_the_leader_only(system: System, redis: Redis) -> None:
    every_second = IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.create(name="theirs", task="probe.note", interval=every_second)
    PeriodicTasks.update_changed()
    beats = [system.beat(), system.beat()]
    wait_until(lambda: int(redis.llen("celery")) >= 1, 30, "it fires")
    begun, had = time.monotonic(), int(redis.llen("celery"))
    wait_until(lambda: int(redis.llen("celery")) >= had + 4, 20, "it fires again and again")
    assert time.monotonic() - begun > 2.5, "two beats must not send twice"
    assert sum("Sending due task theirs" in beat.text() for beat in beats) == 1


def test_a_beat_tells_its_health(system: System, settings: Settings) -> None:
    settings.CARILLON = settings.CARILLON | {"BEAT_DIR": str(system.folder / "beats")}
    first, second = system.beat(), system.beat()
    wait_until(lambda: len(list((system.folder / "beats").glob("*.json"))) == 2, 30, "both tell")
    call_command("beat_health")
    first.freeze()
    wait_until(lambda: refused(1.0), 10, "a frozen beat is not healthy")
    first.kill()
    second.stop()
    assert refused(60), "no beat is not healthy either"


def refused(max_age: float) -> bool:
    """Whether the health check fails."""
    try:
        call_command("beat_health", max_age=max_age)
    except CommandError:
        return True
    return False


def test_a_stopped_beat_leaves_no_lock_and_no_key_without_an_end(system: System, redis: Redis) -> None:
    beat = system.beat()
    system.leader()
    assert redis.pttl("carillon:leader") > 0
    assert beat.stop() == 0
    assert not redis.exists("carillon:leader")


def test_a_beat_that_cannot_note_its_health_ticks_all_the_same(system: System) -> None:
    (system.folder / "beats").write_text("a file where the folder should be")
    make_job(schedule="* * * * * *", overlap="allow")
    beat = system.beat()
    wait_until(lambda: runs() >= 3, 30, "it ticks")
    assert beat.text().count("health cannot be noted") == 1
    assert beat.running
