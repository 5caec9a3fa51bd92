"""The faults under which the systems are put, and the timing that all of them share."""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from chaos.proxy import Proxy

KILLED = "the leading beat is killed (-9) with another beside it"
RESTARTED = "the only beat is killed (-9) and started again after 3 s"
WORKER_KILLED = "the worker is killed (-9) with its processes while it executes; another is started at once"
FLUSHED = "Redis is flushed with messages queued"
RESET = "the worker's connections to Redis are reset three times while it executes"
CUT_TASK = 1.5
"""Seconds that the task takes where it is to be cut; it is due every second, and two processes execute it."""
QUEUED = 6
SETTLED = 8.0
RESETS = 3
SPARE = 4
"""Processes of a worker of which some are idle."""


def settled() -> None:
    """Let a while pass in which things go on as they are."""
    time.sleep(SETTLED)


def away() -> None:
    """The time for which nobody starts the beat again."""
    time.sleep(3)


def between_resets() -> None:
    """The time between two resets."""
    time.sleep(3)


def first_after(moment: float, lines: Iterable[Mapping[str, Any]]) -> float | None:
    """When the first of the witness's lines was written after a moment."""
    return min((float(line["at"]) for line in lines if line["at"] > moment), default=None)


def through(url: str, proxy: Proxy) -> str:
    """The address of a server, by way of a proxy."""
    parts = urlsplit(url)
    login, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
