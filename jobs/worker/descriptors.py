"""The file descriptors on which a pool process stands: its standard ones, and the pipes to its parent."""

import fcntl
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

STANDARD = (0, 1, 2)
FIRST_COPY = 64

Identity = tuple[int, int, int]


@dataclass(slots=True)
class Descriptors:
    """What they were. A standard one that a task closed is opened again; without the pipes the process is lost."""

    standard: Mapping[int, Identity | None]
    copies: Mapping[int, int]
    pipes: Mapping[int, Identity | None]
    lost: bool = field(default=False, init=False)

    @classmethod
    def of_this_process(cls) -> "Descriptors":
        """Those that are open now, before any task has run."""
        standard = {number: identity(number) for number in STANDARD}
        found = {number: identity(number) for number in _open_ones() if number not in STANDARD}
        copies = {
            number: fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, FIRST_COPY)
            for number, known in standard.items()
            if known
        }
        return cls(standard, copies, {number: known for number, known in found.items() if known and _is_pipe(number)})

    def put_back(self) -> list[str]:
        """Open the standard ones again where they are not what they were; what was done, in words."""
        closed = [number for number, before in self.standard.items() if identity(number) != before]
        self.lost = self.lost or any(identity(number) != before for number, before in self.pipes.items())
        changed = []
        for number in closed:
            self._open_again(number)
            changed.append(f"the descriptor {number}")
        if self.lost:
            changed.append("the pipes to the worker (this process ends)")
        return changed

    def _open_again(self, number: int) -> None:
        copy = self.copies.get(number)
        if copy is not None and identity(copy) == self.standard[number]:
            os.dup2(copy, number)
            return
        # Whatever else: no connection may ever get the number to which the log is written.
        self.lost = True
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def identity(number: int) -> Identity | None:
    """What the descriptor stands for; None when it is closed."""
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_rdev


def _copy(number: int) -> int:
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, FIRST_COPY)


def _open_ones() -> list[int]:
    return [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - a directory of numbers


def _is_pipe(number: int) -> bool:
    return stat.S_ISFIFO(os.fstat(number).st_mode)
