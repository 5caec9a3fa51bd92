"""Where the examples' files are, and how they come into being: whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from examples import conf
from examples.arguments import text

DRAFT = ".draft-"
"""How the names of unfinished files begin."""


def folder(name: str) -> Path:
    """A folder of the examples, made on first use; only its owner can enter it."""
    root = conf.directory()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = root / name
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def below(name: str, value: object) -> Path:
    """The path of an argument, taken from the examples' folder. ValueError for one that leads or links elsewhere."""
    asked = PurePosixPath(text(name, value))
    if asked.is_absolute() or ".." in asked.parts:
        raise ValueError(f"{name}: {value!r} leads out; write a path relative to {conf.directory()}")
    path = conf.directory()
    for part in asked.parts:
        path /= part
        if path.is_symlink():
            raise ValueError(f"{name}: {value!r} is refused, for {path} is a symbolic link")
    if not path.exists():
        raise ValueError(f"{name}: {path} does not exist")
    return path


@contextmanager
def finished_file(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its name when the block has ended well, and is removed otherwise.

    The file can be read by its owner only.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=DRAFT)
    draft = Path(name)
    try:
        yield draft
        os.fsync(handle)  # before the rename: a power cut must not leave a complete name on an empty file
        os.replace(draft, path)
    finally:
        os.close(handle)
        draft.unlink(missing_ok=True)


def keep_newest(directory: Path, pattern: str, count: int) -> list[str]:
    """Remove all but the `count` files whose names come last; the names of the removed."""
    surplus = sorted(directory.glob(pattern))[:-count]
    for path in surplus:
        path.unlink(missing_ok=True)
    return [path.name for path in surplus]


def size_in_words(size: int) -> str:
    """A size as people read it: 12.3 MB."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
