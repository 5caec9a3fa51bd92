"""The zoo: tasks that end in every bad way, and one that looks at what those of `chaos.untidy` leave behind.

Each is seen to start and to end before it misbehaves, so the witness and the ledger can be held against each other.
"""

import asyncio
import contextlib
import ctypes
import decimal
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Never

from billiard.exceptions import SoftTimeLimitExceeded
from celery import shared_task
from django.db import connection
from django.utils import timezone

from chaos.probes import tell

CREATURES: dict[str, Any] = {}
left_in_context: ContextVar[str] = ContextVar("left_in_context", default="")
KEPT: list[Any] = []
"""What a creature leaves behind must not be collected."""


def creature(body: Callable[[], Any]) -> Callable[[], Any]:
    """A task of the zoo, by the name of its function."""

    def task() -> Any:
        tell("start")
        tell("end")
        return body()

    name = f"zoo.{body.__name__}"
    CREATURES[name] = shared_task(name=name)(task)
    return body


@shared_task(name="zoo.look")
def look() -> dict[str, Any]:
    """What a task finds in its process."""
    tell("start")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('search_path')")
        session = list(cursor.fetchone() or ())
    found = {
        "pid": os.getpid(),
        "cwd": str(Path.cwd()),
        "environment": {name: value for name, value in os.environ.items() if name.startswith(("ZOO", "TZ", "PATH"))},
        "locale": locale.setlocale(locale.LC_ALL),
        "umask": _umask(),
        "handlers": [repr(signal.getsignal(number))[:40] for number in sorted(signal.valid_signals()) if number < 32],
        "blocked": sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0],
        "socket timeout": socket.getdefaulttimeout(),
        "recursion": sys.getrecursionlimit(),
        "collects": gc.isenabled(),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "logging": [logging.root.level, logging.root.manager.disable, len(logging.root.handlers)],
        "streams": [sys.stdout.closed, sys.stderr.closed, type(sys.stdout).__name__],
        "descriptors": [os.fstat(number).st_ino for number in (0, 1, 2)],
        "loop": asyncio.run(_forty_two()),
        "context": left_in_context.get(),
        "precision": decimal.getcontext().prec,
        "zone": timezone.get_current_timezone_name(),
        "autocommit": connection.get_autocommit(),
        "transaction": connection.in_atomic_block,
        "session": session,
    }
    tell("end")
    return found


async def _forty_two() -> int:
    await asyncio.sleep(0)
    return 42


def _umask() -> int:
    now = os.umask(0o22)
    os.umask(now)
    return now


# --- those that end badly, and whose process lives on


@creature
def all_memory() -> int:
    return len(bytearray(1 << 60))


@creature
def system_exit() -> Never:
    sys.exit("enough")


@creature
def keyboard_interrupt() -> Never:
    raise KeyboardInterrupt


@creature
def endless_recursion() -> int:
    def deeper(number: int) -> int:
        return deeper(number + 1) + 1

    return deeper(0)


class Beast(BaseException):
    """An exception with no good side."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __reduce__(self) -> Never:
        raise RuntimeError("no pickle")


@creature
def unprintable() -> Never:
    raise Beast(lambda: None, threading.Lock())


@creature
def unpicklable() -> Never:
    raise ValueError(lambda: None, threading.Lock())


@creature
def its_own_cause() -> Never:
    error, other = ValueError("first"), KeyError("second")
    error.__cause__, other.__cause__ = other, error
    raise error


@creature
def huge_message() -> Never:
    raise ValueError("x" * 5_000_000)


@creature
def swallowed_soft_limit() -> str:
    with contextlib.suppress(SoftTimeLimitExceeded):
        time.sleep(30)
    return "late, but well"


@creature
def deep_result() -> Any:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    KEPT.append(nested)
    return nested


@creature
def two_gigabytes() -> str:
    return "x" * (2 << 30)


@creature
def two_gigabytes_in_parts() -> list[str]:
    return ["x" * (1 << 20)] * 2048


@creature
def few_megabytes() -> list[int]:
    return list(range(500_000))


# --- those that take their process along


@creature
def os_exit() -> Never:
    os._exit(0)


@creature
def segmentation_fault() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


@creature
def abort() -> Never:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


@creature
def bottomless_stack() -> int:
    """The stack of C, which Python does not guard."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(1 << 30)
    value: Any = ()
    for _ in range(500_000):
        value = (value,)
    return hash(value)


@creature
def all_descriptors_closed() -> str:
    os.closerange(0, 4096)
    return "silence"


@creature
def all_but_the_standard_descriptors_closed() -> str:
    os.closerange(3, 4096)
    return "silence"
