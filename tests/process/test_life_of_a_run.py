"""A tick becomes a run, a worker executes it, and the row tells."""

from jobs.models import Run
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_a_job_runs_and_its_row_tells(system: System) -> None:
    job = make_job(schedule="@every 1s", args=[2, 3])
    system.worker()
    system.beat()
    run = wait_until(lambda: Run.objects.filter(state=State.SUCCEEDED).first(), 20, "a run has succeeded")
    assert run.job == job
    assert run.result == 5
    assert run.worker_name.endswith("@test")
    assert run.lateness is not None
    assert run.lateness.total_seconds() < 5
