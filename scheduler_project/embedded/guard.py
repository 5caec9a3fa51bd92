"""Stops servers and supervised processes whose parent died without stopping them.

The parent holds the other end of this process's standard input; when that closes, for whatever reason
(kill -9 too), everything still listed is stopped and the temporary directories are removed.
Run by its path, so that it starts in milliseconds and needs nothing but the standard library.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 10.0  # seconds between the polite signal and SIGKILL
NOT_MINE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Guard:
    """The parent's side. `lock`, a file descriptor, stays open in the guard until it has finished."""

    def __init__(self, lock: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )

    @property
    def pid(self) -> int:
        """The guard's own process id."""
        return self._process.pid

    def watch(self, pid: int, polite: signal.Signals) -> None:
        """From now on the process group of this leader is stopped if we die."""
        self._tell(f"watch {pid} {int(polite)}")

    def forget(self, pid: int) -> None:
        """The process has ended and its number may be somebody else's soon."""
        self._tell(f"forget {pid}")

    def remove_afterwards(self, directory: Path) -> None:
        """The directory is removed once everything has stopped, by a death or by `close`."""
        self._tell(f"remove {directory}")

    def close(self) -> None:
        """Stops what is still listed, and waits until it is done."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # a guard that was killed guards nothing, and stops nobody
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()


def main() -> None:
    """Keeps the lists until standard input ends, then stops and removes."""
    for each in NOT_MINE:
        signal.signal(each, signal.SIG_IGN)
    watched: dict[int, int] = {}
    directories: list[str] = []
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "watch":
            pid, polite = map(int, rest.split())
            watched[pid] = polite
        elif verb == "forget":
            watched.pop(int(rest), None)
        elif verb == "remove":
            directories.append(rest)
    stop_all(watched)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def stop_all(watched: dict[int, int]) -> None:
    """Signals every process group politely, and kills what is left after `PATIENCE`."""
    for pid, polite in watched.items():
        _signal_group(pid, polite)
        _signal_group(pid, signal.SIGCONT)  # a stopped process would not see the signal
    deadline = time.monotonic() + PATIENCE
    while any(map(_alive, watched)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in watched:
        _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
