"""Back up a database with pg_dump."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import shared_task
from django.conf import settings

from examples.arguments import one_of, whole_number
from examples.files import DRAFT, finished_file, folder, keep_newest, size_in_words
from examples.postgres_tools import ToolFailed, postgresql, run, tools_for
from jobs.clock import database_now
from jobs.current import current_run

LABEL = re.compile(r"[a-z][a-z0-9_]{0,30}")
STALE = 86_400  # seconds; a draft as old as this was left by a process that was killed


@shared_task(name="examples.back_up_database")
def back_up_database(keep: int = 7, label: str = "daily", database: str = "default") -> dict[str, Any]:
    """Dump the database in pg_dump's custom format, check that the dump can be read, keep the newest `keep`.

    Backups of different labels are kept apart. ValueError for a wrong argument; ToolFailed when pg_dump fails.
    """
    whole_number("keep", keep, 1, 10_000)
    if not isinstance(label, str) or not LABEL.fullmatch(label):
        raise ValueError(f"label: {label!r} is not a word of small letters and digits such as daily")
    one_of("database", database, list(settings.DATABASES))
    now = database_now()
    backups = folder("backups")
    _remove_stale_drafts(backups, now)
    path = backups / f"{database}-{label}-{now:%Y%m%dT%H%M%SZ}.dump"
    tables = _dump(database, path)
    removed = keep_newest(backups, f"{database}-{label}-*.dump", keep)
    size = path.stat().st_size
    current_run().progress(1, f"{path.name}, {size_in_words(size)}")
    return {"file": str(path), "bytes": size, "tables": tables, "removed": removed}


def _dump(database: str, path: Path) -> int:
    """Write the dump; the number of tables whose data is in it."""
    connection = postgresql(database)
    tools = tools_for(connection)
    with finished_file(path) as draft:
        current_run().progress(0.1, "dumping")
        run(connection, tools / "pg_dump", "--format=custom", "--no-password", f"--file={draft}")
        current_run().progress(0.9, "checking")
        contents = run(connection, tools / "pg_restore", "--list", str(draft))
        tables = sum(" TABLE DATA " in line for line in contents.splitlines())
        if tables == 0:
            raise ToolFailed(f"the dump of {database} holds no table's data")
    return tables


def _remove_stale_drafts(backups: Path, now: datetime) -> None:
    for draft in backups.glob(f"{DRAFT}*"):
        if now.timestamp() - draft.stat().st_mtime > STALE:
            draft.unlink(missing_ok=True)
