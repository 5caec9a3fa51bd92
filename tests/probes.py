"""The tasks that tests run. Some write what they saw to a file, so that a test need not trust the ledger."""

import ctypes
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Never

from celery import Task, bootsteps, shared_task, signals
from celery.exceptions import Ignore, Reject

from jobs.current import current_run


def witness(event: str) -> None:
    """Append what is happening, with one write, to the file that the test reads."""
    run = current_run()
    line = {
        "event": event,
        "run": str(run.id),
        "attempt": run.attempt,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    with Path(os.environ["WITNESS"]).open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


class Hang(bootsteps.StartStopStep):
    """A part of the worker whose stop never ends."""

    def stop(self, worker: Any) -> None:
        threading.Event().wait()


@signals.celeryd_init.connect(weak=False)
def hang_in_shutdown(instance: Any, **_: Any) -> None:
    """Let the worker hang, if the test wants it."""
    if "HANG_IN_SHUTDOWN" in os.environ:
        instance.app.steps["worker"].add(Hang)


@shared_task(name="probe.note")
def note() -> None:
    """Execute, and be seen."""
    witness("start")
    witness("end")


@shared_task(name="probe.add")
def add(a: int, b: int) -> int:
    """The simplest task."""
    return a + b


@shared_task(name="probe.nap")
def nap(seconds: float, only_attempt: int | None = None) -> str:
    """Sleep for so long, if it is this attempt."""
    witness("start")
    if only_attempt is None or current_run().attempt == only_attempt:
        time.sleep(seconds)
    witness("end")
    return "awake"


@shared_task(name="probe.wait_for_file")
def wait_for_file(path: str) -> None:
    """Execute until a file appears."""
    witness("start")
    while not Path(path).exists():
        time.sleep(0.02)
    witness("end")


@shared_task(name="probe.shard", bind=True)
def shard(self: "Task[Any, Any]", seconds: float = 0) -> list[Any]:
    """Say which shard it is, and which worker executes it, after some seconds."""
    witness("start")
    time.sleep(seconds)
    run = current_run()
    return [run.shard, run.shards, self.request.hostname]


@shared_task(name="probe.fail")
def fail(message: str = "no luck", succeed_at: int | None = None) -> str:
    """Raise, until the given attempt."""
    witness("start")
    if succeed_at is None or current_run().attempt < succeed_at:
        raise ValueError(message)
    return "at last"


@shared_task(name="probe.memory_error")
def memory_error() -> Never:
    """Run out of memory, as Python sees it."""
    raise MemoryError("too much")


@shared_task(name="probe.exit")
def exit_process() -> Never:
    """Call sys.exit()."""
    raise SystemExit(3)


@shared_task(name="probe.segfault")
def segfault() -> None:
    """Read where nothing is."""
    witness("start")
    ctypes.string_at(0)


@shared_task(name="probe.kill_child")
def kill_child(only_attempt: int | None = None) -> str:
    """Die as the kernel's memory killer would have it."""
    witness("start")
    if only_attempt is None or current_run().attempt == only_attempt:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@shared_task(name="probe.ignore")
def ignore() -> Never:
    """Raise Celery's Ignore."""
    raise Ignore


@shared_task(name="probe.reject")
def reject(requeue: bool = False) -> Never:
    """Raise Celery's Reject."""
    raise Reject("not for me", requeue=requeue)


@shared_task(name="probe.self_retry", bind=True)
def self_retry(self: "Task[Any, Any]", countdown: float = 0.1, succeed_at: int = 2, throw: bool = True) -> str:
    """Call Celery's own retry()."""
    if current_run().attempt < succeed_at:
        self.retry(countdown=countdown, exc=ValueError("again, please"), throw=throw)
    return f"after {self.request.retries} retries"


@shared_task(name="probe.autoretry", autoretry_for=(KeyError,), retry_backoff=1, retry_jitter=False)
def autoretry(succeed_at: int = 2) -> str:
    """Raise what Celery's autoretry_for catches."""
    if current_run().attempt < succeed_at:
        raise KeyError("missing")
    return "found"


@shared_task(name="probe.retry_with", bind=True)
def retry_with(self: "Task[Any, Any]", number: int) -> int:
    """Ask for another attempt with another argument."""
    if number < 3:
        raise self.retry(args=(number + 1,), countdown=0)
    return number


class Unprintable:
    """Raises when it is looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("do not look at me")


@shared_task(name="probe.result")
def result(kind: str) -> Any:
    """Return something that JSON cannot hold, or much of it."""
    return {"set": {1}, "unprintable": Unprintable(), "long": "x" * 100_000, "nul": "a\x00b"}[kind]


class UnpicklableError(Exception):
    """Cannot be pickled, nor printed."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __str__(self) -> str:
        raise RuntimeError("no message")


@shared_task(name="probe.unpicklable")
def unpicklable() -> Never:
    """Raise an exception that nothing can handle."""
    raise UnpicklableError


@shared_task(name="probe.progress")
def progress(path: str) -> dict[str, Any]:
    """Report progress from deep inside, and wait to be seen."""
    current_run().progress(0.25, "a quarter")
    while not Path(path).exists():
        time.sleep(0.02)
    current_run().progress(1.0, "done")
    run = current_run()
    return {
        "job": run.job,
        "attempt": run.attempt,
        "scheduled_for": str(run.scheduled_for),
        "id": str(run.id),
    }


@shared_task(name="probe.checkpoint")
def checkpoint(kill_at: int, end: int) -> list[int]:
    """Count, keep how far it is, and die once on the way; what this attempt has counted."""
    run = current_run()
    counted = []
    for number in range((run.last_checkpoint or {}).get("next", 0), end):
        counted.append(number)
        run.checkpoint({"next": number + 1})
        if number == kill_at and run.attempt == 1:
            raise ValueError("on the way")
    return counted


@shared_task(name="probe.until_cancelled")
def until_cancelled() -> str:
    """Look whether the run is cancelled, and stop by itself."""
    witness("start")
    while not current_run().cancelled:
        time.sleep(0.02)
    witness("saw cancel")
    return "stopped"


@shared_task(name="probe.stubborn")
def stubborn() -> Never:
    """Not be interrupted by the soft limit."""
    witness("start")
    while True:
        try:
            time.sleep(60)
        except Exception as error:  # noqa: BLE001 - it is stubborn
            witness(type(error).__name__)


@shared_task(name="probe.arguments", bind=True)
def arguments(self: "Task[Any, Any]", *args: Any, **kwargs: Any) -> list[Any]:
    """What it was called with, when its request says the same."""
    if list(self.request.args or ()) != list(args) or self.request.kwargs != kwargs:
        raise AssertionError(f"the request has {self.request.args} and {self.request.kwargs}")
    return [list(args), kwargs]


@shared_task(name="probe.ask_again", bind=True)
def ask_again(self: "Task[Any, Any]", *args: Any, **kwargs: Any) -> list[Any]:
    """Ask once for another attempt, with arguments that look like templates."""
    if current_run().attempt == 1:
        raise self.retry(args=("{attempt} of {",), kwargs={"{k}": ["}"]}, countdown=0)
    return [*args, kwargs]
