"""What the ledger tells of single ticks: whether one has a row, and what has become of its runs.

A tick is named by its job and its time, and where somebody has made a run by hand take others along, by that run too.
"""

from collections.abc import Collection
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from jobs.models import Run


class TickKey(NamedTuple):
    """A job's tick; or, with an origin, its part in what a run by hand has taken along."""

    job_id: int
    tick: datetime
    origin: UUID | None = None


class TickRun(NamedTuple):
    """The latest run of a tick's shard."""

    id: UUID
    state: str
    reason: str
    upstream: str


# A stretch of missed ticks is one row; it comes right before, as ticks within it have no rows. The conditions on the
# trigger are those of the indexes.
_RECORDED = """
SELECT key.job_id, key.tick, row.scheduled_for = key.tick
  FROM unnest(%s::bigint[], %s::timestamptz[]) AS key(job_id, tick)
 CROSS JOIN LATERAL (
       SELECT run.scheduled_for, run.last_scheduled_for FROM jobs_run AS run
        WHERE run.job_id = key.job_id AND run.scheduled_for <= key.tick AND NOT (run.trigger IN ('manual', 'retry'))
        ORDER BY run.scheduled_for DESC
        LIMIT 1) AS row
 WHERE row.scheduled_for = key.tick OR row.last_scheduled_for >= key.tick
"""
_OF_TICKS = """
SELECT DISTINCT ON (key.place, run.shard)
       key.place, run.scheduled_for = key.tick, run.trigger = 'retry', run.created_at, run.id, run.state, run.reason,
       run.shard, run.shards, run.upstream
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::uuid[]) WITH ORDINALITY AS key(job_id, tick, origin, place)
 CROSS JOIN LATERAL (
       SELECT * FROM jobs_run AS tick
        WHERE key.origin IS NULL AND tick.job_id = key.job_id AND tick.scheduled_for = key.tick
          AND NOT (tick.trigger IN ('manual', 'retry'))
        UNION ALL
       SELECT * FROM jobs_run AS again
        WHERE key.origin IS NULL AND again.job_id = key.job_id AND again.scheduled_for = key.tick
          AND again.trigger = 'retry' AND again.origin IS NULL
        UNION ALL
       SELECT * FROM jobs_run AS along
        WHERE key.origin IS NOT NULL AND along.origin = key.origin AND along.job_id = key.job_id
        UNION ALL
      (SELECT stretch.* FROM (
              SELECT * FROM jobs_run AS before
               WHERE key.origin IS NULL AND before.job_id = key.job_id AND before.scheduled_for < key.tick
                 AND NOT (before.trigger IN ('manual', 'retry'))
               ORDER BY before.scheduled_for DESC
               LIMIT 1) AS stretch
        WHERE stretch.last_scheduled_for >= key.tick)) AS run
 ORDER BY key.place, run.shard, run.scheduled_for DESC, run.trigger = 'retry' DESC, run.created_at DESC, run.id DESC
"""


def recorded(keys: Collection[tuple[int, datetime]]) -> dict[tuple[int, datetime], bool]:
    """Those of these ticks that have a row, or lie within a stretch of missed ones; whether the row is their own."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_RECORDED, [[job_id for job_id, _ in keys], [tick for _, tick in keys]])
        return {(job_id, tick): own for job_id, tick, own in cursor.fetchall()}


def latest_runs(keys: Collection[TickKey]) -> dict[TickKey, list[TickRun]]:
    """The latest run of each shard, into which the tick was split last, for the ticks that have runs.

    What is asked for by hand is not the tick's, though it may share its moment.
    """
    if not keys:
        return {}
    ordered = list(keys)
    parameters: list[Any] = [
        [key.job_id for key in ordered],
        [key.tick for key in ordered],
        [None if key.origin is None else str(key.origin) for key in ordered],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_OF_TICKS, parameters)
        rows = cursor.fetchall()
    places = groupby(rows, itemgetter(0))
    return {ordered[place - 1]: _tick([_Row(*row[1:]) for row in of_place]) for place, of_place in places}


class _Row(NamedTuple):
    own: bool
    again: bool
    created_at: datetime
    id: UUID
    state: str
    reason: str
    shard: int
    shards: int
    upstream: str


def _tick(rows: Collection[_Row]) -> list[TickRun]:
    """The runs of a tick, by its own rows or else the stretch it lies in, without shards from before an edit."""
    own = [row for row in rows if row.own] or rows
    # The newest run tells into how many the tick was split last.
    shards = max(own, key=attrgetter("again", "created_at", "id")).shards
    return [TickRun(row.id, row.state, row.reason, row.upstream) for row in own if row.shard < shards]


def overlapping(job_id: int, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """From when to when the rows of the job's ticks reach that have to do with this stretch."""
    ticks = Run.objects.filter(job_id=job_id, scheduled_for__lte=last).exclude(trigger__in=("manual", "retry"))
    rows = ticks.filter(scheduled_for__gte=first).values_list("scheduled_for", "last_scheduled_for")
    before = ticks.filter(scheduled_for__lt=first, last_scheduled_for__gte=first).order_by("-scheduled_for")
    found = [*rows, *before.values_list("scheduled_for", "last_scheduled_for")[:1]]
    return [(begin, end or begin) for begin, end in found]
