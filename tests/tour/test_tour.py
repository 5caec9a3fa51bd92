"""The README's features, one after the other, with a real beat and a real worker."""

import subprocess
import sys
from datetime import timedelta

from jobs import control
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State, Trigger
from jobs.trigger import retry_run, run_now
from tests.factories import planned_job
from tests.process.system import ROOT, System
from tests.waiting import wait_until


def ended(run: Run) -> Run:
    """The run, when it has ended."""
    wait_until(lambda: not Run.objects.live().filter(pk=run.pk).exists(), 20, "the run has ended")
    run.refresh_from_db()
    return run


def first_run(job: Job, **state: object) -> Run:
    """The job's first run, when there is one like that."""
    return wait_until(
        lambda: job.runs.filter(**state).order_by("scheduled_for").first(), 20, f"a run of {job}: {state}"
    )


def test_a_job_is_a_row_and_every_tick_another(system: System) -> None:
    system.worker()
    system.beat()
    job = Job.objects.create(name="sums", task="probe.add", args=[20, 22], schedule="* * * * * *")
    run = first_run(job, state=State.SUCCEEDED)
    assert (run.result, run.trigger, run.attempt) == (42, Trigger.SCHEDULE, 1)

    control.pause_job(job.pk)
    wait_until(lambda: Job.objects.get(pk=job.pk).next_run_at is None, 2, "the beat has seen the pause")
    made = job.runs.count()
    by_hand = ended(run_now(job.pk, database_now()))
    assert (by_hand.state, by_hand.trigger) == (State.SUCCEEDED, Trigger.MANUAL)
    assert job.runs.count() == made + 1, "a paused job makes no ticks, but can be run by hand"

    control.resume_job(job.pk)
    wait_until(lambda: job.runs.count() > made + 1, 3, "it ticks again")
    times = list(
        job.runs.filter(trigger=Trigger.SCHEDULE).order_by("scheduled_for").values_list("scheduled_for", flat=True)
    )
    assert len(times) == len(set(times))
    assert not job.runs.filter(state=State.MISSED).exists(), "the pause is not made up for"


def test_failures_are_retried_and_each_attempt_is_kept(system: System) -> None:
    system.worker()
    system.beat()
    job = Job.objects.create(
        name="flaky",
        task="probe.fail",
        kwargs={"message": "the upstream is away", "succeed_at": 3},
        schedule="0 0 1 1 *",
        retry_delay=1,
        retry_jitter=False,
    )
    run = ended(run_now(job.pk, database_now()))
    assert (run.state, run.attempt, run.result) == (State.SUCCEEDED, 3, "at last")
    attempts = list(run.attempts.all())
    assert [attempt.error for attempt in attempts] == ["ValueError: the upstream is away"] * 2
    assert "probes.py" in attempts[0].traceback
    first, second, third = (line["at"] for line in system.seen("start"))
    assert 1 <= second - first < 2.5, "the first delay is 1 s"
    assert 2 <= third - second < 3.5, "the second is doubled"

    again = ended(retry_run(run.pk, database_now()))
    assert (again.retry_of, again.scheduled_for, again.state) == (run.pk, run.scheduled_for, State.SUCCEEDED)


def test_a_tick_that_may_not_run_says_why(system: System) -> None:
    go_on = system.folder / "go on"
    system.worker()
    system.beat()
    job = Job.objects.create(name="slow", task="probe.wait_for_file", args=[str(go_on)], schedule="* * * * * *")
    running = first_run(job, state=State.RUNNING)
    skipped = first_run(job, state=State.SKIPPED)
    assert skipped.reason == f"the earlier run {running.pk} had not ended"

    control.pause_job(job.pk)
    go_on.touch()
    assert ended(running).state == State.SUCCEEDED

    hour_ago = database_now() - timedelta(hours=1)
    neglected = planned_job(hour_ago, schedule="* * * * *", timezone="UTC", missed="skip", grace=1)
    missed = first_run(neglected, state=State.MISSED)
    assert missed.ticks in (60, 61)
    assert missed.reason == f"{missed.ticks} ticks were not handled within the grace of 1 s; policy: skip them all"


def test_the_celery_command_line_shows_it(system: System) -> None:
    system.worker()
    for command, shows in (
        ("status", "1 node online"),
        ("inspect registered", "probe.add"),
        ("inspect active", "empty"),
    ):
        arguments = [sys.executable, "-m", "celery", "-A", "scheduler_project", *command.split()]
        told = subprocess.run(
            arguments, cwd=ROOT, env=system.environment(), capture_output=True, text=True, timeout=60, check=True
        )
        assert shows in told.stdout
