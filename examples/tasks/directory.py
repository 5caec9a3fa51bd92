"""Prune a directory by the age and the total size of its files."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import shared_task

from examples.arguments import number
from examples.files import below, size_in_words
from jobs.current import current_run

DAY = 86_400
Key = tuple[int, int]
"""A file's device and inode."""


class NotPruned(OSError):
    """Some files could not be removed; the message names them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be pruned."""

    key: Key
    modified: float
    size: int


@shared_task(name="examples.prune_directory")
def prune_directory(
    path: str, max_age_days: float | None = None, max_megabytes: float | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Remove files older than `max_age_days`, then the oldest ones until the rest fits into `max_megabytes`.

    `path` is relative to the examples' folder; anything outside and every symbolic link is refused or passed over,
    and so are hidden files. ValueError for a wrong argument; NotPruned names what could not be removed.
    """
    directory = _directory(path)
    age = None if max_age_days is None else number("max_age_days", max_age_days, 0, 36_600) * DAY
    room = None if max_megabytes is None else number("max_megabytes", max_megabytes, 0, 1e9) * 1_000_000
    if age is None and room is None:
        raise ValueError("max_age_days, max_megabytes: at least one of them is needed")
    if not isinstance(dry_run, bool):
        raise ValueError(f"dry_run: {dry_run!r} is not true or false")
    found = [_found(info) for _, _, info in _files(directory)]
    surplus = _surplus(found, None if age is None else time.time() - age, room)
    if not dry_run:
        _remove(directory, {each.key for each in surplus})
    freed = sum(each.size for each in surplus)
    current_run().progress(1, f"{len(surplus)} of {len(found)} files, {size_in_words(freed)}")
    return {"removed": len(surplus), "bytes": freed, "left": len(found) - len(surplus), "dry_run": dry_run}


def _directory(path: object) -> Path:
    directory = below("path", path)
    if not directory.is_dir():
        raise ValueError(f"path: {directory} is not a directory")
    return directory


def _files(directory: Path) -> Iterator[tuple[str, int, os.stat_result]]:
    """Name, open folder and facts of each regular file below. Held open, a folder cannot become a link meanwhile."""
    for _, folders, names, descriptor in os.fwalk(directory, follow_symlinks=False, onerror=_tell):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith("."):
                continue
            try:
                info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone since the folder was read
            if stat.S_ISREG(info.st_mode):
                yield name, descriptor, info


def _tell(error: OSError) -> None:
    """os.fwalk passes over what it cannot read unless it is told otherwise."""
    raise error


def _found(info: os.stat_result) -> Found:
    return Found((info.st_dev, info.st_ino), info.st_mtime, info.st_size)


def _surplus(found: list[Found], oldest: float | None, room: float | None) -> list[Found]:
    """What has to go: the too old ones, and then the oldest until the others fit."""
    surplus: list[Found] = []
    left = sum(each.size for each in found)
    for each in sorted(found, key=lambda each: each.modified):
        too_old = oldest is not None and each.modified < oldest
        if not too_old and (room is None or left <= room):
            break
        surplus.append(each)
        left -= each.size
    return surplus


def _remove(directory: Path, keys: set[Key]) -> None:
    failed = []
    removed = 0
    for name, descriptor, info in _files(directory):
        if (info.st_dev, info.st_ino) not in keys:
            continue
        if current_run().cancelled:
            break
        try:
            os.unlink(name, dir_fd=descriptor)
        except OSError as error:
            failed.append(f"{name}: {error.strerror}")
            continue
        removed += 1
        current_run().progress(removed / len(keys), f"{removed} files removed")
    if failed:
        raise NotPruned(f"{len(failed)} files could not be removed: {'; '.join(failed[:20])}")
