"""How runs come into being: the only INSERT into the ledger, in batches, with the unique key as the judge."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.states import State, Trigger

COLUMNS = (
    ("id", "uuid"),
    ("job_id", "bigint"),
    ("trigger", "text"),
    ("retry_of", "uuid"),
    ("scheduled_for", "timestamptz"),
    ("last_scheduled_for", "timestamptz"),
    ("ticks", "integer"),
    ("state", "text"),
    ("reason", "text"),
)


def new_run_id(now: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562): it sorts by time, so the ledger's newest rows lie together in the index."""
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds << 16) | 0x7000 | (random >> 68)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    return UUID(int=(high << 64) | low)


@dataclass(frozen=True, slots=True)
class Birth:
    """A run to be. A `reason` goes with the states skipped and missed, which are ends at once."""

    id: UUID
    job_id: int
    scheduled_for: datetime
    trigger: Trigger = Trigger.SCHEDULE
    state: State = State.SCHEDULED
    reason: str = ""
    last_scheduled_for: datetime | None = None
    ticks: int = 1
    retry_of: UUID | None = field(default=None)


# Only the names in COLUMNS are put into the text.
_INSERT = f"""
INSERT INTO jobs_run ({", ".join(name for name, _ in COLUMNS)},
                      task, args, kwargs, queue, priority, timeout, created_at, due_at, expires_at, finished_at)
SELECT {", ".join(f"birth.{name}" for name, _ in COLUMNS)},
       job.task, coalesce(old.args, job.args), coalesce(old.kwargs, job.kwargs), job.queue, job.priority, job.timeout,
       %(now)s, least(birth.scheduled_for, %(now)s),
       CASE WHEN birth.state = 'scheduled' THEN %(now)s + job.expires * interval '1 second' END,
       CASE WHEN birth.state <> 'scheduled' THEN %(now)s END
  FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in COLUMNS)})
    AS birth({", ".join(name for name, _ in COLUMNS)})
  JOIN jobs_job AS job ON job.id = birth.job_id
  LEFT JOIN jobs_run AS old ON old.id = birth.retry_of
ON CONFLICT DO NOTHING
RETURNING id
"""  # noqa: S608


def insert(births: Sequence[Birth], now: datetime) -> set[UUID]:
    """Insert the runs; the ids of those that were new. A tick that has its row already is left as it is."""
    if not births:
        return set()
    parameters: dict[str, Any] = {name: [_plain(getattr(birth, name)) for birth in births] for name, _ in COLUMNS}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {**parameters, "now": now})
        return {row[0] for row in cursor.fetchall()}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (UUID, State, Trigger)) else value
