"""How runs come into being: the only INSERT into the ledger, in batches, with the unique key as the judge."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
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
    ("idempotency_key", "text"),
    ("scheduled_for", "timestamptz"),
    ("last_scheduled_for", "timestamptz"),
    ("ticks", "integer"),
    ("state", "text"),
    ("reason", "text"),
)
"""What a row takes from the birth itself, with its type."""

DEFAULTED = (("args", "jsonb"), ("kwargs", "jsonb"), ("priority", "integer"), ("due_at", "timestamptz"))
"""What it takes from the birth if that says so, and otherwise from the run that is retried, the job, or the tick."""


def new_run_id(now: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562): it sorts by time, so the ledger's newest rows lie together in the index."""
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds << 16) | 0x7000 | (random >> 68)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    return UUID(int=(high << 64) | low)


@dataclass(frozen=True, slots=True)
class Birth:
    """A run to be. A `reason` goes with the states skipped and missed, which are ends at once, and with waiting.

    `args`, `kwargs` and `priority` are the job's, and `due_at` the tick's own time, where they are not given.
    """

    id: UUID
    job_id: int
    scheduled_for: datetime
    trigger: Trigger = Trigger.SCHEDULE
    state: State = State.SCHEDULED
    reason: str = ""
    last_scheduled_for: datetime | None = None
    ticks: int = 1
    retry_of: UUID | None = None
    idempotency_key: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    priority: int | None = None
    due_at: datetime | None = None


# Only the names in COLUMNS and DEFAULTED are put into the text.
_NAMES = ", ".join(name for name, _ in COLUMNS)
_ALL = COLUMNS + DEFAULTED
_INSERT = f"""
INSERT INTO jobs_run ({_NAMES}, task, args, kwargs, templated, queue, priority, timeout,
                      created_at, due_at, expires_at, finished_at, checkpoint)
SELECT {", ".join(f"birth.{name}" for name, _ in COLUMNS)},
       job.task, coalesce(birth.args, old.args, job.args), coalesce(birth.kwargs, old.kwargs, job.kwargs),
       coalesce(old.templated, job.templated), job.queue, coalesce(birth.priority, job.priority), job.timeout,
       %(now)s, start.due_at,
       CASE WHEN birth.state IN ('scheduled', 'waiting')
            THEN greatest(start.due_at, %(now)s) + job.expires * interval '1 second' END,
       CASE WHEN birth.state NOT IN ('scheduled', 'waiting') THEN %(now)s END,
       CASE WHEN old.state <> 'succeeded' THEN old.checkpoint END
  FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _ALL)})
    AS birth({", ".join(name for name, _ in _ALL)})
  JOIN jobs_job AS job ON job.id = birth.job_id
  LEFT JOIN jobs_run AS old ON old.id = birth.retry_of
 CROSS JOIN LATERAL (SELECT coalesce(birth.due_at, least(birth.scheduled_for, %(now)s)) AS due_at) AS start
ON CONFLICT DO NOTHING
RETURNING id
"""  # noqa: S608


def insert(births: Sequence[Birth], now: datetime) -> set[UUID]:
    """Insert the runs; the ids of those that were new. A tick that has its row already is left as it is."""
    if not births:
        return set()
    parameters: dict[str, Any] = {name: [_plain(getattr(birth, name)) for birth in births] for name, _ in _ALL}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {**parameters, "now": now})
        return {row[0] for row in cursor.fetchall()}


def _plain(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    return str(value) if isinstance(value, (UUID, State, Trigger)) else value
