"""One `make run` in a checkout at a time."""

import fcntl
import os
import time
from pathlib import Path

import psutil

PATIENCE = 20.0  # seconds for the guard of a killed run to finish


class AlreadyRunning(RuntimeError):
    """Another run holds the lock of this data directory."""


def take(path: Path) -> int:
    """Takes the lock until the returned file descriptor is closed by every process that has it.

    The guard of a run has it too, so a run that was killed keeps the lock until its processes are gone; that
    is waited for. A run that lives is an AlreadyRunning with its process id.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE
    while not _locked(handle):
        holder = os.pread(handle, 32, 0).decode().strip()
        if (holder.isdigit() and psutil.pid_exists(int(holder))) or time.monotonic() > deadline:
            os.close(handle)
            raise AlreadyRunning(
                f"Carillon runs here already (process {holder}). Stop that one first, "
                "or set CARILLON_HOME to another directory for a second one."
            )
        time.sleep(0.1)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
