"""One occurrence, with real beats and a real worker: skip a tick, move it, change it, run it early; and the load."""

from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command

from jobs import adjust
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.policies.jitter import delay_of
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

ANN: dict[str, Any] = {"by": "ann", "why": "the source is late"}


def planned(**fields: object) -> Job:
    """A job whose next tick the beat has worked out."""
    job = make_job(**{"timezone": "UTC", "overlap": "allow"} | fields)
    wait_until(Job.objects.filter(pk=job.pk, planned=True).exists, 20, "the job is planned")
    return job


def ended(job: Job, **told: object) -> Run:
    """The run of the job with these words, when it has ended."""
    return wait_until(job.runs.filter(finished_at__isnull=False, **told).first, 40, f"{job}: {told}")


def test_a_tick_is_skipped_snoozed_or_run_with_other_arguments(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    job = planned(schedule="*/5 * * * * *", args=[1, 2])
    assert ended(job, state=State.SUCCEEDED).result == 3
    skipped = adjust.skip(job.pk, database_now(), **ANN)
    run = ended(job, scheduled_for=skipped.first)
    assert (run.state, run.reason) == (State.SKIPPED, "skipped by ann: the source is late")
    snoozed = adjust.snooze(job.pk, database_now(), until=database_now() + timedelta(seconds=12), **ANN)
    changed = adjust.give_arguments(
        job.pk, database_now(), tick=snoozed.first + timedelta(seconds=5), args=[40, 2], **ANN
    )
    run = ended(job, scheduled_for=changed.first)
    assert (run.state, run.result, run.note) == (State.SUCCEEDED, 42, "other arguments by ann: the source is late")
    run = ended(job, scheduled_for=snoozed.first)
    assert (run.state, run.note.partition(" until ")[0]) == (State.SUCCEEDED, "snoozed by ann")
    assert run.started_at is not None
    assert snoozed.moved_to is not None
    assert run.started_at >= snoozed.moved_to
    ticks = list(job.runs.values_list("scheduled_for", flat=True))
    assert len(ticks) == len(set(ticks)), "with two beats every tick has one run"


def test_a_tick_runs_early_and_not_again(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    job = planned(schedule="*/10 * * * * *", overlap="skip")
    mine = Job.objects.filter(pk=job.pk)
    soon = timedelta(seconds=4)
    live = job.runs.filter(finished_at=None)
    wait_until(
        lambda: mine.filter(next_run_at__gt=database_now() + soon).exists() and not live.exists(),
        20,
        "there is time to run the next tick early",
    )
    early = adjust.run_early(job.pk, database_now(), **ANN)
    assert ended(job, pk=early.pk).state == State.SUCCEEDED
    ended(job, scheduled_for=early.scheduled_for + timedelta(seconds=10))
    assert job.runs.filter(scheduled_for=early.scheduled_for).count() == 1


def test_jitter_puts_a_job_off_by_a_delay_of_its_own(system: System) -> None:
    system.worker()
    system.beat()
    job = planned(name="spread", schedule="*/4 * * * * *", jitter=3, args=[1, 2])
    done = job.runs.filter(state=State.SUCCEEDED)
    wait_until(lambda: done.count() >= 2, 30, "two ticks have run")
    delays = {run.due_at - run.scheduled_for for run in done}
    assert delays == {delay_of("spread", 3)}
    assert all(run.started_at is not None and run.started_at >= run.due_at for run in done)


def test_the_expected_load_names_the_peak_and_what_flattens_it(system: System) -> None:
    system.beat()
    for number in range(12):
        make_job(name=f"report {number}", schedule="0 2 * * *", timezone="UTC")
    wait_until(lambda: not Job.objects.filter(planned=False).exists(), 20, "the jobs are planned")
    out = StringIO()
    call_command("expected_load", stdout=out)
    assert "The busiest minute has 12" in out.getvalue()
    assert "give the 12 jobs with 0 2 * * * the schedule H 2 * * *" in out.getvalue()
