"""The rows of the crash table that have no test of their own elsewhere, and clocks that disagree."""

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

from jobs.clock import database_now
from jobs.dispatch import Message, dispatch
from jobs.models import Run
from jobs.plan import plan
from jobs.states import State
from jobs.tick import tick
from jobs.trigger import run_now
from tests.factories import make_job
from tests.process.system import START, Program, System, states
from tests.waiting import wait_until

SKEW = Path(__file__).parent / "skew"


def skewed(hours: float) -> dict[str, str]:
    """The environment of a process whose clock is wrong."""
    return {"PYTHONPATH": str(SKEW), "SKEW": str(hours * 3600)}


def started_at(beat: Program) -> datetime:
    """When a beat believes it started, by its banner."""
    wait_until(lambda: "Configuration ->" in beat.text(), START, "the beat has started")
    return datetime.fromisoformat(beat.text().partition("LocalTime -> ")[2].partition("\n")[0])


def test_a_beat_that_dies_after_inserting_leaves_its_runs_to_the_next_dispatch(system: System) -> None:
    make_job(task="probe.note", args=[], schedule="* * * * * *", overlap="allow")
    wait_until(lambda: plan(database_now()) and tick(database_now()).fired, 5, "a run is inserted")
    assert states() == {State.SCHEDULED: 1}
    system.worker()
    system.beat()
    run = Run.objects.get()
    wait_until(lambda: Run.objects.get(pk=run.pk).state == State.SUCCEEDED, 20, "another beat has sent it")


def test_a_beat_that_dies_after_publishing_leaves_a_second_message_that_loses(system: System) -> None:
    run = run_now(make_job(task="probe.note", args=[], enabled=False).pk, database_now())
    messages: list[Message] = []
    dispatch(database_now(), messages.extend)
    Run.objects.filter(pk=run.pk).update(state=State.SCHEDULED, deadline_at=None)
    system.broker.publish(messages)
    system.beat()
    wait_until(lambda: states()[State.QUEUED] == 1, 20, "the next beat has sent it again")
    worker = system.worker()
    wait_until(lambda: worker.text().count("received") == 2, 20, "both messages were taken")
    wait_until(lambda: states() == {State.SUCCEEDED: 1}, 20, "it has succeeded")
    assert len(system.seen("start")) == 1


def test_a_trigger_that_was_acknowledged_survives_the_death_of_every_process(system: System) -> None:
    beat, worker = system.beat(), system.worker()
    os.kill(worker.pid, signal.SIGKILL)
    os.kill(beat.pid, signal.SIGKILL)
    run = run_now(make_job(task="probe.note", args=[], enabled=False).pk, database_now())
    beat.wait()
    system.beat()
    system.worker()
    wait_until(lambda: Run.objects.get(pk=run.pk).state == State.SUCCEEDED, 30, "it was executed")


def test_clocks_that_differ_by_hours_change_nothing(system: System) -> None:
    system.worker(env=skewed(1))
    system.worker(env=skewed(-1))
    beats = [system.beat(env=skewed(-1)), system.beat(env=skewed(1))]
    make_job(name="steady", task="probe.note", args=[], schedule="* * * * * *", overlap="allow")
    retried = run_now(make_job(task="probe.fail", args=["x", 2], retry_delay=1, enabled=False).pk, database_now())
    wait_until(lambda: Run.objects.filter(state=State.SUCCEEDED).count() >= 8, 30, "runs succeed")
    wait_until(lambda: Run.objects.get(pk=retried.pk).state == State.SUCCEEDED, 15, "the retry came after its delay")
    behind, ahead = (started_at(beat) for beat in beats)
    assert ahead - behind > timedelta(hours=1.9), "the clocks really differ"
    for beat in beats:
        beat.stop()
    steady = Run.objects.filter(job__name="steady")
    assert not steady.filter(state__in=(State.MISSED, State.FAILED, State.SKIPPED)).exists()
    first, last = steady.order_by("scheduled_for").first(), steady.order_by("scheduled_for").last()
    assert first is not None
    assert last is not None
    assert steady.count() == (last.scheduled_for - first.scheduled_for).total_seconds() + 1
    executed = [line["run"] for line in system.seen("end")]
    assert len(executed) == len(set(executed))
