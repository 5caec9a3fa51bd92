"""Keeping a soft time limit from striking while a run's row is being written."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SOFT_LIMIT = signal.SIGUSR1
"""The signal by which Celery's prefork pool interrupts a task (billiard's SIG_SOFT_TIMEOUT)."""


@contextmanager
def shielded() -> Iterator[None]:
    """Hold the soft limit back inside, except under `exposed`. One that came too late is swallowed at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {SOFT_LIMIT})
    try:
        yield
    finally:
        signal.sigtimedwait({SOFT_LIMIT}, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def exposed() -> Iterator[None]:
    """Let the soft limit through inside, where the user's code runs."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {SOFT_LIMIT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {SOFT_LIMIT})
