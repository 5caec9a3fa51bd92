"""Overlap with real beats and a real worker: runs in a line follow each other, and replaced ones have stopped."""

from itertools import pairwise

from jobs.models import Run
from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def spans(system: System) -> list[tuple[float, float]]:
    """When each execution that came to its end began and ended, by the tasks' own words."""
    begun = {line["run"]: line["at"] for line in system.seen("start")}
    return sorted((begun[line["run"]], line["at"]) for line in system.seen("end"))


def test_runs_in_a_line_follow_each_other_and_two_beats_start_none_twice(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    job = make_job(task="probe.nap", args=[1.5], schedule="* * * * * *", overlap="queue_all", overlap_limit=3)
    wait_until(lambda: len(system.seen("end")) >= 4, 40, "four runs have ended")
    executed = spans(system)
    assert all(end <= begin for (_, end), (begin, _) in pairwise(executed))
    full = job.runs.filter(state=State.SKIPPED, reason="3 runs were waiting already")
    wait_until(full.exists, 20, "the line is full")
    assert job.runs.filter(state=State.WAITING).count() <= 3
    assert len(system.seen("start")) == len({line["run"] for line in system.seen("start")})


def test_a_replaced_run_is_killed_before_the_next_one_starts(system: System) -> None:
    system.worker()
    system.beat()
    job = make_job(task="probe.nap", args=[600], schedule="*/3 * * * * *", overlap="replace")
    wait_until(lambda: len(system.seen("start")) >= 3, 40, "three runs have begun")
    runs = list(job.runs.order_by("scheduled_for"))
    assert [run.state for run in runs[:2]] == [State.CANCELLED, State.CANCELLED]
    assert runs[0].reason == f"replaced by the run {runs[1].pk}"
    assert Run.objects.filter(job=job, state=State.RUNNING).count() <= 1
    assert not system.seen("end")
    assert len({line["pid"] for line in system.seen("start")}) == len(system.seen("start")), "each in a new process"
