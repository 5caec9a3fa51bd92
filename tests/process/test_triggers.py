"""What somebody asked for, executed by real processes."""

from datetime import timedelta

from jobs.clock import database_now
from jobs.models import Run
from jobs.states import State
from jobs.trigger import run
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_a_run_asked_for_in_2_seconds_starts_then_with_its_own_arguments(system: System) -> None:
    job = make_job(enabled=False, args=[1, 1])
    system.worker()
    system.beat()
    system.leader()
    asked_at = database_now()
    asked = run(job.pk, asked_at, delay=timedelta(seconds=2), args=[40, 2])
    done = wait_until(lambda: Run.objects.filter(state=State.SUCCEEDED).first(), 20, "the run has succeeded")
    assert (done.pk, done.result, done.scheduled_for) == (asked.pk, 42, asked_at + timedelta(seconds=2))
    assert done.lateness is not None
    assert timedelta(0) <= done.lateness < timedelta(seconds=5)
