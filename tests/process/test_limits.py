"""Limits with four real workers and two beats: never one too many, and no slot is lost with who held it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from jobs.clock import database_now
from jobs.models import Job, Pool, Run
from jobs.states import State
from jobs.trigger import Request, run_many
from tests.factories import make_job
from tests.process.system import Program, System
from tests.waiting import wait_until

SLOTS = 3


def most_at_once(lines: list[dict[str, Any]], killed: dict[int, float]) -> int:
    """How many executed at the same moment, by the tasks' own words; `killed` tells when processes died that said no
    more.
    """
    ended = {(line["run"], line["attempt"]): line["at"] for line in lines if line["event"] == "end"}
    begun = [line for line in lines if line["event"] == "start"]
    died = [killed.get(line["pid"], float("inf")) for line in begun]
    changes = [(line["at"], 1) for line in begun]
    changes += [(ended.get((line["run"], line["attempt"]), at), -1) for line, at in zip(begun, died, strict=True)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def executing(system: System) -> list[dict[str, Any]]:
    """The starts that have no end yet."""
    ended = {(line["run"], line["attempt"]) for line in system.seen("end")}
    return [line for line in system.seen("start") if (line["run"], line["attempt"]) not in ended]


def ask(job: Job, number: int) -> None:
    run_many(job.pk, [Request()] * number, database_now())


def all_over() -> bool:
    return not Run.objects.exclude(state=State.SUCCEEDED).exists()


def kill(program: Program, killed: dict[int, float]) -> None:
    """kill -9 of a worker with its processes; notes when they had died."""
    processes = [process.pid for process in program.children()]
    program.kill()
    killed |= dict.fromkeys(processes, time.monotonic())


def test_four_workers_never_exceed_a_limit_whoever_is_killed(system: System, tmp_path: Path) -> None:
    workers = [system.worker(carillon={"lease": 6, "heartbeat": 1, "lease_margin": 2}) for _ in range(4)]
    beats = [system.beat(), system.beat()]
    pool = Pool.objects.create(name="erp", slots=SLOTS)
    jobs = [make_job(task="probe.nap", args=[0.4], pool=pool, overlap="allow", schedule="@daily") for _ in range(2)]
    killed: dict[int, float] = {}
    for job in jobs:
        ask(job, 14)
    wait_until(lambda: len(system.seen("end")) >= 3 and len(executing(system)) == SLOTS, 40, "the slots are used")
    doomed = executing(system)[0]["pid"]
    kill(next(one for one in workers if doomed in {child.pid for child in one.children()}), killed)
    leader = system.leader()
    leader.kill()
    beats.remove(leader)
    system.beat()
    wait_until(lambda: len(executing(system)) > len(killed_now(system, killed)), 30, "the others go on")
    one = next(line["pid"] for line in executing(system) if line["pid"] not in killed)
    os.kill(one, signal.SIGKILL)
    killed[one] = time.monotonic()
    wait_until(all_over, 60, "every run has succeeded, also those whose process was killed")
    assert most_at_once(system.seen(), killed) == SLOTS

    file = tmp_path / "go"
    last = make_job(task="probe.wait_for_file", args=[str(file)], pool=pool, overlap="allow", schedule="@daily")
    ask(last, SLOTS + 2)
    begun = len(system.seen("start"))
    wait_until(lambda: len(system.seen("start")) == begun + SLOTS, 20, "all slots are there")
    waiting = Run.objects.filter(job=last, state=State.WAITING, reason=f"waits for a slot in the pool erp ({SLOTS})")
    wait_until(lambda: waiting.count() == 2, 5, "the others wait and say so")
    assert len(executing_alive(system, killed)) == SLOTS
    file.touch()
    wait_until(all_over, 20, "they follow")


def killed_now(system: System, killed: dict[int, float]) -> list[dict[str, Any]]:
    return [line for line in executing(system) if line["pid"] in killed]


def executing_alive(system: System, killed: dict[int, float]) -> list[dict[str, Any]]:
    return [line for line in executing(system) if line["pid"] not in killed]


def test_a_rate_holds_in_every_window(system: System) -> None:
    system.worker()
    system.worker()
    system.beat()
    system.beat()
    pool = Pool.objects.create(name="api", rate=3, period=2)
    ask(make_job(task="probe.note", args=[], pool=pool, overlap="allow", schedule="@daily"), 10)
    wait_until(all_over, 40, "all have run")
    starts = sorted(run.started_at for run in Run.objects.all() if run.started_at)
    windows = [(later - first).total_seconds() for first, later in zip(starts, starts[3:], strict=False)]
    assert min(windows) >= 2
    assert max(windows) < 4, "and not much slower"
