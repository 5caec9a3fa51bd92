"""The tasks that run under fault. They tell the witness, not the ledger, and the kernel keeps them apart."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from celery import shared_task

from jobs.current import current_run


def tell(event: str) -> None:
    """Append what happens to the witness, with one write that cannot be torn."""
    run = current_run()
    line = {
        "event": event,
        "run": str(run.id),
        "job": run.job,
        "scheduled_for": run.scheduled_for.isoformat() if run.scheduled_for else None,
        "shard": run.shard,
        "attempt": run.attempt,
        "pid": os.getpid(),
        "at": time.monotonic(),
    }
    with Path(os.environ["WITNESS"]).open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


@contextmanager
def alone() -> Iterator[None]:
    """Hold a lock of the kernel's on the run; that somebody else holds it means that two attempts execute at once.

    Unless the other is frozen: then it executes nothing, and must never do so again, which the checker looks for.
    """
    folder = Path(os.environ["WITNESS"]).parent / "locks"
    with (folder / str(current_run().id)).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            tell("beside a frozen one" if _is_frozen(int(file.read() or 0)) else "overlap")
        else:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _is_frozen(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return True  # it has just been killed, and the kernel lets go of its lock at any moment


@shared_task(name="chaos.work")
def work(seconds: float = 0.05, password: str = "") -> None:
    """Execute for a while, and be seen."""
    with alone():
        tell("start")
        time.sleep(seconds)
        tell("end")


@shared_task(name="chaos.flaky")
def flaky(failures: int = 1, seconds: float = 0.05, password: str = "") -> None:
    """Fail so many attempts, then succeed."""
    with alone():
        tell("start")
        time.sleep(seconds)
        if current_run().attempt <= failures:
            tell("fail")
            raise ValueError("not yet")
        tell("end")
