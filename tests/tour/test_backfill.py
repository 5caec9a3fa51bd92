"""Backfills of the README: a dry run, a start, and a look at how far it has come."""

from datetime import timedelta

from jobs import backfill
from jobs.clock import database_now
from jobs.models import Backfill
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_ticks_of_the_past_are_run_little_by_little(system: System) -> None:
    system.worker()
    system.beat()
    job = make_job(
        task="probe.arguments",
        args=["{scheduled_for:%Y-%m-%d}"],
        templated=True,
        schedule="0 2 * * *",
        timezone="Europe/Riga",
        enabled=False,
    )
    now = database_now()
    asked = backfill.Asked(now - timedelta(days=10), now, redo="failed", order="newest", at_once=2, why="new column")

    told = backfill.preview(job, asked, now)
    assert (told.total, told.new, told.redone) == (10, 10, 0)
    assert not job.runs.exists()

    begun = backfill.start(job.pk, asked, "ann", now)
    done = Backfill.objects.filter(pk=begun.pk, state="done")
    wait_until(done.exists, 60, "the backfill is done")
    runs = list(job.runs.order_by("started_at"))
    ticks = [run.scheduled_for for run in runs]
    assert set(ticks[:2]) == set(sorted(ticks)[-2:]), "the newest two went first"
    assert {run.state for run in runs} == {State.SUCCEEDED}
    assert all(f"{run.scheduled_for:%Y-%m-%d}" in str(run.result) for run in runs)
    progress = backfill.progress(done.get())
    assert (progress.seen, progress.made, progress.succeeded, progress.live) == (10, 10, 10, 0)

    again = backfill.preview(job, asked, database_now())
    assert (again.new, again.redone) == (0, 0), "there is nothing left to do"
