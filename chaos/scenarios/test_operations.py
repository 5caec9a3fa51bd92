"""What people do at the worst moment: edit, disable, delete, cancel, trigger; and code that is older than the jobs."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from chaos.world import World
from jobs import trigger
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State
from tests.factories import make_job, planned_job
from tests.waiting import wait_until

POINTS = ("tick.before_commit", "tick.after_commit", "dispatch.after_publish")
SLOW = ";".join(f"{point}=sleep(0.15)" for point in (*POINTS, "claim.before", "finish.before"))


def test_edits_disabling_and_deleting_while_every_step_is_slow(world: World) -> None:
    """Between any two steps of the flow somebody changes the job."""
    world.findings.promise = "6"
    world.worker(env=world.failing(SLOW))
    world.beat(env=world.failing(SLOW))
    world.beat(env=world.failing(SLOW))
    steady = world.job(name="steady")
    changing = make_job(name="changing", task="chaos.work", schedule="* * * * * *", overlap="allow", timezone="UTC")
    doomed = make_job(name="doomed", task="chaos.work", schedule="* * * * * *", overlap="allow", timezone="UTC")
    wait_until(lambda: len(world.seen("end")) > 3, 40, "runs are executed")
    for number in range(20):
        changing.schedule = "* * * * * *" if number % 2 else "*/2 * * * * *"
        changing.enabled = number % 3 != 0
        changing.save()
        if number == 10:
            doomed.delete()
        world.goes_on(20, event="start")
    Job.objects.filter(pk=changing.pk).update(enabled=False)
    assert Job.objects.filter(pk=steady.pk, error="").exists()
    faults = [fault for fault in world.finish().faults() if "has no row" not in fault]
    assert faults == [], "of the deleted job's runs there are no rows any more, all else is right"


def test_runs_are_cancelled_at_every_step(world: World) -> None:
    world.findings.promise = "3"
    world.worker(env=world.failing(SLOW))
    world.beat(env=world.failing(SLOW))
    world.job(args=[1])
    wait_until(lambda: world.seen("start"), 40, "runs are executed")
    for _ in range(15):
        world.cancel_all()
        world.goes_on(20, event="start")
    assert Run.objects.filter(state=State.CANCELLED).count() > 10
    assert world.finish().faults() == []


def test_a_hundred_triggers_at_once_with_one_key_make_one_run(world: World) -> None:
    world.findings.promise = "7"
    world.worker()
    world.beat()
    job = make_job(task="chaos.work", enabled=False)
    made: list[object] = []
    gate = threading.Barrier(100)

    def ask() -> None:
        gate.wait(30)
        try:
            made.append(trigger.run(job.pk, database_now(), idempotency_key="order 4711").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(made), len(set(made)), Run.objects.count()) == (100, 1, 1)
    assert world.finish().faults() == []


def test_workers_of_an_older_version_do_not_know_the_task(world: World) -> None:
    """A deploy in the middle: some workers know the new task, others do not."""
    world.findings.promise = "8"
    world.worker(env={"CHAOS_WITHOUT_PROBES": "1"})
    world.worker()
    world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 5, 60, "runs are executed by those who know the task")
    world.executes_again(20)
    assert world.finish(within=200).faults() == []


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", 0),
        ("latest", 1),
        ("earliest", 1),
        ("all", 50),
    ],
)
def test_after_a_day_without_any_beat_missed_ticks_are_as_the_policy_says(
    world: World, missed: str, expected: int
) -> None:
    world.findings.promise = "1"
    day_ago = database_now().replace(microsecond=0) - timedelta(days=1)
    overlap = "allow"
    job = planned_job(
        day_ago, schedule="*/10 * * * *", timezone="UTC", overlap=overlap, missed=missed, missed_limit=50, grace=5,
        task="chaos.work", args=[0],
    )  # fmt: skip
    world.worker()
    with world.timed(bar=30):
        world.beat()
        due = Job.objects.filter(pk=job.pk, next_run_at__lte=database_now())
        wait_until(lambda: not due.exists(), 30, "the beat has caught up")
    ticks = sum(run.ticks for run in job.runs.all())
    made_up = job.runs.exclude(state=State.MISSED).count()
    assert 144 <= ticks <= 146
    assert made_up == expected
    Job.objects.filter(pk=job.pk).update(enabled=False)
    assert world.finish().faults() == []


def test_an_edit_takes_effect_within_a_second_while_ticks_go_on(world: World) -> None:
    world.findings.promise = "6"
    world.worker()
    world.beat()
    world.beat()
    world.job()
    edited = make_job(name="edited", task="chaos.work", schedule="0 0 1 1 *", timezone="UTC")
    mine = Job.objects.filter(pk=edited.pk)
    wait_until(mine.filter(planned=True).exists, 20, "the job is planned")
    edited.schedule = "0 0 2 1 *"
    with world.timed(bar=1):
        edited.save()
        wait_until(mine.filter(planned_schedule="0 0 2 1 *").exists, 1, "the edit has taken effect")
    assert world.finish().faults() == []


def test_a_task_that_was_renamed_fails_with_that_reason(world: World) -> None:
    world.findings.promise = "8"
    world.worker(carillon={"max_unknown": 3})
    world.beat()
    world.job()
    lost = trigger.run_now(make_job(task="chaos.renamed", enabled=False).pk, database_now())
    world.recovered("it has failed", Run.objects.filter(pk=lost.pk, state=State.FAILED).exists, 60)
    assert "no worker knew its task" in Run.objects.get(pk=lost.pk).reason
    assert world.finish().faults() == []
