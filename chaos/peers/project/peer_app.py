"""The peers' Celery project: one task every second, with every setting as Celery and the schedulers have it by default.

What is sent, begins and ends is told to the same kind of witness as Carillon's probes.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery, Task, signals

WITNESS = Path(os.environ["WITNESS"])

app = Celery("peer", broker=os.environ["REDIS_URL"])
app.conf.update(
    timezone="UTC",
    redbeat_redis_url=os.environ["REDIS_URL"],
    task_acks_late=os.environ.get("PEER_ACKS_LATE") == "1",
    beat_schedule={
        "watched": {"task": "peer.work", "schedule": 1.0, "args": [float(os.environ.get("PEER_SECONDS", "0.05"))]}
    },
)


def tell(event: str, message: str) -> None:
    """Append what happens to the witness, with one write that cannot be torn."""
    line = {"event": event, "message": message, "pid": os.getpid(), "at": time.monotonic()}
    with WITNESS.open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


@contextmanager
def alone(message: str) -> Iterator[None]:
    """Hold a lock of the kernel's on the message; that somebody else holds it means that it executes twice at once."""
    with (WITNESS.parent / "locks" / message).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("overlap", message)
        yield


@signals.after_task_publish.connect
def sent(headers: dict[str, Any], **_: object) -> None:
    """A beat has sent a tick."""
    tell("sent", headers["id"])


@app.task(name="peer.work", bind=True)
def work(self: Task[Any, Any], seconds: float) -> None:
    """Execute for a while, and be seen."""
    message = str(self.request.id)
    with alone(message):
        tell("start", message)
        time.sleep(seconds)
        tell("end", message)
