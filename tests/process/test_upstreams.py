"""A diamond of jobs with real beats and real workers: its end runs once, after both of its sides."""

from jobs import control
from jobs.clock import database_now
from jobs.models import Job, Run
from jobs.states import State, Trigger
from jobs.trigger import retry_run
from tests.factories import make_job
from tests.family import job_after
from tests.process.system import System
from tests.waiting import wait_until


def test_a_diamond_runs_its_end_once_whose_sides_end_together_on_two_workers(system: System) -> None:
    for _ in range(2):
        system.worker()
        system.beat()
    root = make_job(task="probe.note", args=[], schedule="*/2 * * * * *", overlap="allow", grace=60)
    sides = [job_after(root, task="probe.nap", args=[0.5], overlap="allow") for _ in range(2)]
    last = job_after(*sides, task="probe.note", args=[], overlap="allow")
    ended = last.runs.filter(state=State.SUCCEEDED)
    wait_until(lambda: ended.count() >= 5, 60, "the end has run five times")
    control.pause_job(root.pk)
    wait_until(lambda: not Run.objects.live().exists(), 30, "what has begun has ended")
    begun = {line["run"]: line["at"] for line in system.seen("start")}
    over = {line["run"]: line["at"] for line in system.seen("end")}
    assert len(system.seen("start")) == len(begun) == Run.objects.count(), "each once"
    for run in last.runs.all():
        before = [side.runs.get(scheduled_for=run.scheduled_for) for side in sides]
        assert all(over[str(side.pk)] <= begun[str(run.pk)] for side in before)
    assert last.runs.count() == root.runs.count(), "every tick came to the end"


def test_a_failure_travels_down_and_its_retry_wakes_what_is_below(system: System) -> None:
    system.worker()
    system.beat()
    root = make_job(task="probe.fail", args=["no luck"], schedule="* * * * * *", retry_policy="none", overlap="allow")
    middle = job_after(root, task="probe.note", args=[], overlap="allow")
    last = job_after(middle, task="probe.note", args=[], overlap="allow")
    below = wait_until(last.runs.filter(state=State.SKIPPED).first, 30, "the failure has come to the last")
    control.pause_job(root.pk)
    assert below.reason.startswith(f"the upstream {middle} was skipped: the upstream {root} failed")
    failed = root.runs.get(scheduled_for=below.scheduled_for)
    Job.objects.filter(pk=root.pk).update(task="probe.note")
    Run.objects.filter(pk=failed.pk).update(args=[])
    retry_run(failed.pk, database_now())
    again = last.runs.filter(scheduled_for=below.scheduled_for, trigger=Trigger.RETRY, state=State.SUCCEEDED)
    wait_until(again.exists, 30, "the last has run after all")
    assert middle.runs.filter(scheduled_for=below.scheduled_for, state=State.SUCCEEDED).count() == 1
