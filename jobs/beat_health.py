"""A beat's health, noted in a small file that a health check on the same machine can read."""

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

    def note(self, role: str) -> None:
        """Say that the beat has just done its part."""
        if time.monotonic() - self._noted_at < INTERVAL:
            return
        self._noted_at = time.monotonic()
        path = _folder() / f"{os.getpid()}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(Health(os.getpid(), role, time.time()))))
        draft.replace(path)

    def remove(self) -> None:
        """Take the note away when the beat ends."""
        (_folder() / f"{os.getpid()}.json").unlink(missing_ok=True)


def beats() -> Iterator[Health]:
    """The notes of the beats that run on this machine; those of beats that were killed are removed."""
    for path in sorted(_folder().glob("*.json")):
        try:
            health = Health(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            continue  # just removed, or not ours
        if _runs(health.pid):
            yield health
        else:
            path.unlink(missing_ok=True)


def _folder() -> Path:
    configured = conf().beat_dir
    return Path(configured) if configured else Path(tempfile.gettempdir()) / f"carillon-beats-{os.getuid()}"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
