"""Tasks that end in every bad way or leave their process changed: the worker lives on, and the next task is clean."""

import time
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from chaos.world import World
from jobs.clock import database_now
from jobs.models import Run
from jobs.states import State
from jobs.trigger import run_now
from tests.factories import make_job
from tests.process.system import Program
from tests.waiting import wait_until

ENDS_WITHIN = 20.0


@dataclass(frozen=True)
class Creature:
    """A task of the zoo, and what its row must say in the end."""

    name: str
    state: State = State.SUCCEEDED
    says: str = ""
    job: dict[str, Any] = field(default_factory=dict)


def failing(name: str, says: str, **job: Any) -> Creature:
    return Creature(name, State.FAILED, says, job)


BADLY_ENDING = [
    failing("all_memory", "MemoryError"),
    failing("system_exit", "SystemExit: enough"),
    failing("keyboard_interrupt", "KeyboardInterrupt"),
    failing("endless_recursion", "RecursionError: maximum recursion depth exceeded"),
    failing("unprintable", "Beast: <its message raises RuntimeError>"),
    failing("unpicklable", "ValueError: (<function"),
    failing("its_own_cause", "ValueError: first"),
    failing("huge_message", "[cut]"),
    Creature("swallowed_soft_limit", job={"timeout": 1}),
    Creature("deep_result", says="is not JSON"),
    Creature("few_megabytes", says="the result is cut: it has 3,888,890 characters"),
    Creature("two_gigabytes", says="the result is cut: it has more than 16,384,000 characters"),
    Creature("two_gigabytes_in_parts", says="the result is cut: it has more than 16,384,000 characters"),
]
FATAL = [
    Creature("os_exit", State.FAILED, "poison: set aside"),
    Creature("segmentation_fault", State.FAILED, "poison: set aside"),
    Creature("abort", State.FAILED, "poison: set aside"),
    Creature("bottomless_stack", State.FAILED, "poison: set aside"),
    Creature("all_descriptors_closed"),
    Creature("all_but_the_standard_descriptors_closed"),
]
UNTIDY = [
    "working_directory",
    "removed_working_directory",
    "environment",
    "locale_and_umask",
    "signal_handlers",
    "alarm",
    "interpreter",
    "event_loop",
    "event_loop_policy",
    "running_event_loop",
    "standard_streams",
    "standard_descriptors",
    "closed_connection",
    "lost_connection",
    "ended_backend",
    "no_autocommit",
    "open_transaction",
    "aborted_transaction",
    "connection_closed_in_a_transaction",
    "session_settings",
    "session_of_a_driver_s_cursor",
    "read_only_session",
    "grandchild_that_outlives_it",
    "grandchild_that_returns",
    "grandchild_that_exits",
    "thread_left_behind",
]


@pytest.fixture
def worker(world: World) -> Program:
    """A worker with one pool process, so that the next task comes to the same one."""
    world.findings.promise = "8"
    return world.worker("-c", "1")


def end(world: World, task: str, **job: Any) -> Run:
    """Let the task run to its end."""
    made = make_job(**{"task": task, "args": [], "enabled": False, "retry_policy": "none", "name": task} | job)
    run = run_now(made.pk, database_now())
    ended = Run.objects.filter(pk=run.pk, finished_at__isnull=False)
    wait_until(lambda: world.pump() and ended.exists(), ENDS_WITHIN, f"{task} has ended")
    run.refresh_from_db()
    return run


def look(world: World, number: int) -> dict[str, Any]:
    """What a task finds in the worker's process."""
    run = end(world, "zoo.look", name=f"look {number}")
    assert run.state == State.SUCCEEDED, run.error
    found: dict[str, Any] = run.result
    return found


def alive(worker: Program) -> list[psutil.Process]:
    """Its processes; not those that have ended, and of which nobody has asked how."""
    return [child for child in worker.children() if child.status() != psutil.STATUS_ZOMBIE]


def visit(world: World, creatures: list[Creature], *, same_process: bool) -> dict[str, str]:
    """Let each run, look after each, and tell what was not as it should be."""
    wrong = {}
    before = look(world, 0)
    for number, creature in enumerate(creatures, start=1):
        began = time.monotonic()
        run = end(world, f"zoo.{creature.name}", **creature.job)
        told = f"{run.reason} {run.error} {run.result}"
        if (run.state, run.attempt) != (creature.state, 1) or creature.says not in told:
            wrong[creature.name] = f"{run.state}, attempt {run.attempt}: {told[:1000]}"
        after = look(world, number)
        differs = [name for name in before if before[name] != after[name] and (same_process or name != "pid")]
        if differs:
            wrong[f"after {creature.name}"] = "; ".join(f"{n}: {before[n]} → {after[n]}" for n in differs)
        print(f"{creature.name}: {time.monotonic() - began:.1f} s")  # noqa: T201 - for whoever reads the log
    return wrong


def test_tasks_that_end_badly(world: World, worker: Program) -> None:
    assert visit(world, BADLY_ENDING, same_process=True) == {}
    assert worker.running
    assert world.finish().faults() == []


def test_tasks_that_take_their_process_along(world: World) -> None:
    """Each once, for Celery takes up to five seconds to replace a process; that three losses are poison is known."""
    world.findings.promise = "8"
    worker = world.worker("-c", "1", carillon={"max_losses": 1})
    assert visit(world, FATAL, same_process=False) == {}
    assert worker.running
    assert world.finish().faults() == []


def test_tasks_that_leave_their_process_changed(world: World, worker: Program) -> None:
    creatures = [Creature(name) for name in UNTIDY]
    assert visit(world, creatures, same_process=True) == {}
    assert worker.running
    text = worker.text()
    assert "the task zoo.working_directory left its process changed, which is put back: the working directory" in text
    assert "the thread the straggler (still there)" in text
    assert "escaped" not in text
    wait_until(lambda: len(alive(worker)) == 1, 10, "the grandchildren have ended")
    assert world.finish().faults() == []
