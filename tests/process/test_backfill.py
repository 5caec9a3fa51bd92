"""A backfill with real beats and a real worker: beats that are killed in the middle of it lose and double nothing."""

from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from jobs import backfill
from jobs.backfill import Asked
from jobs.clock import database_now
from jobs.models import Backfill, Job, Worker
from jobs.states import State, Trigger
from tests.backfills import tick_row
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until

HOUR = timedelta(hours=1)
TICKS = 60
FAILED = 6


def backfilled_job(**fields: Any) -> Job:
    """A job with a tick each hour; those before its first live tick are the backfill's."""
    return make_job(**{"task": "probe.note", "args": [], "schedule": "0 * * * *", "timezone": "UTC"} | fields)


def start(job: Job, at_once: int, redo: str = "failed") -> Backfill:
    """Ask for the sixty hours before this one."""
    this_hour = database_now().replace(minute=0, second=0, microsecond=0)
    asked = Asked(this_hour - TICKS * HOUR, this_hour - HOUR, redo, "oldest", at_once, "a test")
    return backfill.start(job.pk, asked, "ann", database_now())


def state(begun: Backfill) -> str:
    """How it stands now."""
    return Backfill.objects.get(pk=begun.pk).state


def has_made(begun: Backfill, number: int) -> bool:
    """Whether it has made so many runs."""
    return begun.runs.count() >= number


def test_beats_killed_in_the_middle_of_a_backfill_make_every_run_once(system: System) -> None:
    job = backfilled_job(overlap="allow")
    this_hour = database_now().replace(minute=0, second=0, microsecond=0)
    for hours in range(1, FAILED + 1):
        tick_row(job, this_hour - hours * HOUR, State.MISSED)
    system.worker()
    begun = start(job, at_once=4)
    for made in (10, 25, 40):
        beat = system.beat()
        wait_until(partial(has_made, begun, made), 40, f"{made} runs are made")
        beat.kill()
        assert state(begun) == "running"
    system.beat()
    wait_until(lambda: state(begun) == "done", 60, "the backfill is done")
    runs = job.runs.filter(backfill=begun)
    ticks = list(runs.order_by("scheduled_for").values_list("scheduled_for", flat=True))
    assert ticks == [this_hour - hours * HOUR for hours in range(TICKS, 0, -1)]
    assert runs.filter(trigger=Trigger.RETRY).count() == FAILED
    assert set(runs.values_list("state", flat=True)) == {State.SUCCEEDED}
    begins = [line["run"] for line in system.seen("start")]
    assert {str(pk) for pk in runs.values_list("pk", flat=True)} <= set(begins)
    assert len(begins) == len(set(begins)), "each was executed once"
    begun = Backfill.objects.get(pk=begun.pk)
    assert (begun.total, begun.seen, begun.made) == (TICKS, TICKS, TICKS)


def test_live_ticks_go_on_beside_a_backfill_and_never_at_the_same_time(system: System) -> None:
    system.worker()
    system.beat()
    system.beat()
    job = backfilled_job(task="probe.nap", args=[0.4], schedule="*/2 * * * * *", overlap="skip")
    now = database_now()
    asked = Asked(now - timedelta(seconds=30), now - timedelta(seconds=10), why="a test", at_once=5)
    begun = backfill.start(job.pk, asked, "ann", now)
    wait_until(lambda: state(begun) == "done", 90, "the backfill is done")
    live = job.runs.filter(trigger=Trigger.SCHEDULE, state=State.SUCCEEDED)
    assert live.count() >= 3, "live ticks went on meanwhile"
    begins = {line["run"]: line["at"] for line in system.seen("start")}
    spans = sorted((begins[line["run"]], line["at"]) for line in system.seen("end"))
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    of_backfill = {str(pk) for pk in job.runs.filter(backfill=begun).values_list("pk", flat=True)}
    skipped = job.runs.filter(state=State.SKIPPED).values_list("reason", flat=True)
    assert not [reason for reason in skipped if any(run in reason for run in of_backfill)]


def test_a_cancel_stops_what_executes(system: System) -> None:
    system.worker()
    system.beat()
    job = backfilled_job(task="probe.nap", args=[600], overlap="allow")
    begun = start(job, at_once=2)
    wait_until(lambda: len(system.seen("start")) == 2, 30, "two runs execute")
    assert backfill.cancel(begun.pk, "ann", database_now(), lambda _: None)
    assert state(begun) == "cancelled"
    wait_until(lambda: not _executing(), 20, "their processes have been stopped")
    assert set(job.runs.filter(backfill=begun).values_list("state", flat=True)) == {State.CANCELLED}
    assert job.runs.filter(backfill=begun).count() == 2


def _executing() -> bool:
    return Worker.objects.exclude(executing=[]).exists()
