"""A beat's health, noted in a small file that a health check on the same machine can read.

The beat keeps its file locked (flock) as long as it lives, so the kernel says whether the writer is alive; a process id
would not, for it may have gone to another process.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.conf import conf

INTERVAL = 0.5
"""Seconds between two notes."""
LENGTH = 200
"""Bytes of a note, so that each one covers the one before with a single write."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a beat noted last. `ticked_at` is when it last did its part: a round as leader, or a look at the lock."""

    pid: int
    role: str
    ticked_at: float

    def age(self) -> float:
        """Seconds since it did its part."""
        return max(0.0, time.time() - self.ticked_at)


class HealthFile:
    """This beat's note. A beat that cannot do its part stops noting, and so grows old."""

    def __init__(self) -> None:
        self._noted_at = float("-inf")
        self._file: int | None = None

    def note(self, role: str) -> None:
        """Say that the beat has just done its part."""
        if time.monotonic() - self._noted_at < INTERVAL:
            return
        self._noted_at = time.monotonic()
        if self._file is None:
            self._file = self._open()
        text = json.dumps(asdict(Health(os.getpid(), role, time.time())))
        os.pwrite(self._file, text.ljust(LENGTH).encode(), 0)

    def remove(self) -> None:
        """Take the note away when the beat ends."""
        if self._file is not None:
            self._path().unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file

    @staticmethod
    def _path() -> Path:
        return _folder() / f"{os.getpid()}.json"


def beats() -> Iterator[Health]:
    """The notes of the beats that run on this machine; those of beats that were killed are removed."""
    for path in sorted(_folder().glob("*.json")):
        try:
            alive = _is_locked(path)
            health = Health(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            continue  # just removed, just made, or not ours
        if alive:
            yield health
        else:
            path.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _folder() -> Path:
    configured = conf().beat_dir
    return Path(configured) if configured else Path(tempfile.gettempdir()) / f"carillon-beats-{os.getuid()}"
