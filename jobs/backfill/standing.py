"""Standing: how the ticks of a job stand in the ledger.

A tick's runs are those of its schedule, its upstreams, backfills, and their retries; what was asked for by hand is no
tick. Of each shard the latest run counts, of the splitting into shards that was made last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from jobs.models import Run
from jobs.policies.backfill import Standing
from jobs.states import LIVE

# Each half of the union has an index of its own. Only constants are put into it.
_STANDINGS = """
WITH candidate AS (
    SELECT id, scheduled_for, shard, shards, state, created_at, trigger FROM jobs_run
     WHERE job_id = %(job)s AND scheduled_for {moments} AND trigger NOT IN ('manual', 'retry') AND origin IS NULL
     UNION ALL
    SELECT id, scheduled_for, shard, shards, state, created_at, trigger FROM jobs_run
     WHERE job_id = %(job)s AND scheduled_for {moments} AND trigger = 'retry' AND origin IS NULL),
newest AS (
    SELECT DISTINCT ON (scheduled_for) scheduled_for, shards
      FROM candidate ORDER BY scheduled_for, created_at DESC, trigger = 'retry' DESC, id DESC),
latest AS (
    SELECT DISTINCT ON (scheduled_for, shard) scheduled_for, shard, id, state
      FROM candidate JOIN newest USING (scheduled_for, shards)
     ORDER BY scheduled_for, shard, created_at DESC, trigger = 'retry' DESC, id DESC),
tick AS (
    SELECT scheduled_for, array_agg(id ORDER BY shard) AS runs,
           CASE WHEN scheduled_for IN (SELECT scheduled_for FROM candidate WHERE state = ANY(%(live)s)) THEN 'live'
                WHEN bool_and(state = 'succeeded') THEN 'succeeded' ELSE 'failed' END AS standing
      FROM latest GROUP BY scheduled_for)
"""
_EACH = "SELECT scheduled_for, standing, runs FROM tick"
_NUMBERS = """
SELECT standing, EXISTS (SELECT FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS stretch(begins, ends)
                          WHERE tick.scheduled_for BETWEEN stretch.begins AND stretch.ends), count(*)
  FROM tick GROUP BY 1, 2
"""

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Stood:
    """How one tick stands, and the latest run of each of its shards; none for a tick inside of a missed stretch."""

    standing: Standing
    runs: tuple[UUID, ...] = ()


def stood(job_id: int, ticks: Sequence[datetime]) -> Mapping[datetime, Stood]:
    """How each of these ticks stands, with two questions for all."""
    if not ticks:
        return {}
    found = _asked("= ANY(%(ticks)s)", _EACH, {"job": job_id, "ticks": list(ticks)})
    rows = {tick: Stood(Standing(standing), tuple(runs)) for tick, standing, runs in found}
    missed = stretches(job_id, min(ticks), max(ticks))
    return {tick: rows.get(tick) or _without_row(tick, missed) for tick in ticks}


def _without_row(tick: datetime, missed: Sequence[Stretch]) -> Stood:
    inside = any(begin <= tick <= end for begin, end in missed)
    return Stood(Standing.FAILED if inside else Standing.ABSENT)


def stretches(job_id: int, first: datetime, last: datetime) -> list[Stretch]:
    """The stretches of missed ticks that reach into the range, cut to it, where they overlap as one; in order."""
    rows = Run.objects.filter(job_id=job_id, ticks__gt=1, scheduled_for__lte=last, last_scheduled_for__gte=first)
    merged: list[Stretch] = []
    for begin, end in sorted(rows.values_list("scheduled_for", "last_scheduled_for")):
        if end is None:
            continue
        begins, ends = max(begin, first), min(end, last)
        if merged and begins <= merged[-1][1]:
            begins, ends = merged[-1][0], max(ends, merged.pop()[1])
        merged.append((begins, ends))
    return merged


def counted(
    job_id: int, first: datetime, last: datetime, missed: Sequence[Stretch]
) -> Mapping[tuple[Standing, bool], int]:
    """How many moments from `first` to `last` have rows, by how they stand and whether they lie in a missed stretch."""
    parameters = {
        "job": job_id,
        "first": first,
        "last": last,
        "begins": [begin for begin, _ in missed],
        "ends": [end for _, end in missed],
    }
    rows = _asked("BETWEEN %(first)s AND %(last)s", _NUMBERS, parameters)
    return {(Standing(standing), inside): number for standing, inside, number in rows}


def _asked(moments: str, of_ticks: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS.format(moments=moments) + of_ticks, {**parameters, "live": sorted(LIVE)})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
