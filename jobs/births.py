"""How runs come into being: the only INSERT into the ledger, in batches, with the unique key as the judge."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.slot_reasons import filled_in, likely
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
    ("shard", "smallint"),
    ("shards", "smallint"),
    ("group_id", "uuid"),
    ("for_worker", "text"),
    ("origin", "uuid"),
    ("backfill_id", "bigint"),
    ("canary_id", "bigint"),
    ("interval_start", "timestamptz"),
    ("note", "text"),
    ("upstream", "text"),
)
"""What a row takes from the birth itself, with its type."""

DEFAULTED = (
    ("task", "text"),
    ("args", "jsonb"),
    ("kwargs", "jsonb"),
    ("queue", "text"),
    ("priority", "integer"),
    ("timeout", "integer"),
    ("due_at", "timestamptz"),
    ("limit_key", "text"),
    ("state", "text"),
    ("reason", "text"),
)
"""What it takes from the birth if that says so, and otherwise from the run that is retried, the job, or the tick; or
what follows from the birth and the job together."""


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

    Task, arguments, queue, priority and timeout are the job's, and `due_at` the tick's own time, where they are not
    given. One that is scheduled, of a job with a limit, waits for its slot at first. The runs of a tick that makes
    several have the first one's id as `group_id`, the first one too.
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
    shard: int = 0
    shards: int = 1
    group_id: UUID | None = None
    for_worker: str = ""
    origin: UUID | None = None
    backfill_id: int | None = None
    canary_id: int | None = None
    interval_start: datetime | None = None
    note: str = ""
    limit_key: str = ""
    upstream: str = ""
    task: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    queue: str | None = None
    priority: int | None = None
    timeout: int | None = None
    due_at: datetime | None = None
    moved: bool = False
    """Somebody has chosen when it is due, so no calendar moves or forbids it."""

    @property
    def group(self) -> UUID:
        """What the runs of its tick have in common."""
        return self.group_id or self.id


# Only the names in COLUMNS and DEFAULTED are put into the text. In one order, because of two transactions that insert
# the same ticks (of a job after both their jobs) one waits for the other, and must not be waited for.
_NAMES = ", ".join(name for name, _ in COLUMNS)
_ALL = COLUMNS + DEFAULTED
_INSERT = f"""
INSERT INTO jobs_run ({_NAMES}, task, args, kwargs, templated, queue, priority, timeout, pool_id, limited, limit_key,
                      unsettled, state, reason, created_at, due_at, expires_at, finished_at, checkpoint)
SELECT {", ".join(f"birth.{name}" for name, _ in COLUMNS)},
       coalesce(birth.task, job.task), given.args, given.kwargs, coalesce(old.templated, job.templated),
       coalesce(birth.queue, job.queue), coalesce(birth.priority, job.priority), coalesce(birth.timeout, job.timeout),
       job.pool_id, rules.limited, rules.limit_key, rules.followed,
       CASE WHEN birth.state = 'scheduled' AND rules.limited THEN 'waiting' ELSE birth.state END,
       CASE WHEN birth.state <> 'scheduled' OR NOT rules.limited THEN birth.reason
            WHEN start.due_at > %(now)s THEN 'waits for its time'
            ELSE {likely("rules.limit_key")} END,
       %(now)s, start.due_at,
       CASE WHEN birth.state IN ('scheduled', 'waiting') AND birth.upstream <> 'pending' AND birth.backfill_id IS NULL
            THEN greatest(start.due_at, %(now)s) + job.expires * interval '1 second' END,
       CASE WHEN birth.state NOT IN ('scheduled', 'waiting') THEN %(now)s END,
       CASE WHEN old.state <> 'succeeded' THEN old.checkpoint END
  FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _ALL)})
    AS birth({", ".join(name for name, _ in _ALL)})
  JOIN jobs_job AS job ON job.id = birth.job_id
  LEFT JOIN jobs_pool AS pool ON pool.id = job.pool_id
  LEFT JOIN jobs_run AS old ON old.id = birth.retry_of
 CROSS JOIN LATERAL (
       SELECT coalesce(birth.due_at, least(birth.scheduled_for, %(now)s)) AS due_at) AS start
 CROSS JOIN LATERAL (
       SELECT coalesce(birth.args, old.args, job.args) AS args,
              coalesce(birth.kwargs, old.kwargs, job.kwargs) AS kwargs) AS given
 CROSS JOIN LATERAL (
       SELECT coalesce(job.pool_id, job.max_running, job.key_limit) IS NOT NULL AS limited,
              CASE WHEN job.key = '' THEN ''
                   ELSE coalesce(nullif(birth.limit_key, ''),
                                 {filled_in("job.key", "given.args", "given.kwargs")}) END AS limit_key,
              coalesce(job.breaker_failures, job.breaker_percent, pool.breaker_failures, pool.breaker_percent)
                    IS NOT NULL
              OR EXISTS (SELECT FROM jobs_upstream AS below WHERE below.upstream_id = job.id)
              OR EXISTS (SELECT FROM jobs_canary AS canary
                          WHERE canary.job_id = job.id AND canary.state = 'running') AS followed) AS rules
 ORDER BY birth.job_id, birth.scheduled_for, birth.shard
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
