"""Judge the circuit breakers of jobs and pools by the runs that have ended, and close them by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction

from jobs import circuits
from jobs.conf import conf
from jobs.models import Job, Pool, Run
from jobs.models.choices import Circuit
from jobs.policies.breaker import probe_from

# What asks for a look: a breaker that was switched off, a probe that has ended or is gone, and of a pool, which has no
# ticks that would see it, a pause that is over.
_OFF_OR_PROBED = """
coalesce(nullif(breaker_failures, 0), nullif(breaker_percent, 0)) IS NULL
OR (circuit = 'half_open' AND circuit_probe IS NOT NULL
    AND NOT EXISTS (SELECT FROM jobs_run AS probe WHERE probe.id = circuit_probe AND probe.finished_at IS NULL))
"""
_TO_TURN = f"""
(SELECT id, FALSE AS is_pool FROM jobs_job WHERE circuit <> 'closed' AND ({_OFF_OR_PROBED}) LIMIT %(limit)s)
UNION ALL
(SELECT id, TRUE FROM jobs_pool
  WHERE circuit <> 'closed' AND ({_OFF_OR_PROBED}
     OR (circuit = 'open' AND coalesce(circuit_changed_at + breaker_pause * interval '1 second' <= %(now)s, TRUE)))
  LIMIT %(limit)s)
"""  # noqa: S608


def judge(runs: Sequence[Run], jobs: Mapping[int, Job], now: datetime) -> None:
    """By these runs, which have ended; `jobs` are theirs and those that run after them, and are locked."""
    for job_id in sorted({run.job_id for run in runs}):
        circuits.judge(jobs[job_id], now)
    pools = {run.pool_id for run in runs if run.pool_id is not None}
    # An insert of runs holds a key share on their pool's row, which this lock lets by.
    for pool in Pool.objects.filter(pk__in=pools).order_by("pk").select_for_update(no_key=True) if pools else ():
        circuits.judge(pool, now)


def turn(now: datetime) -> None:
    """Move on the circuits that time, a probe's end or an edit has a consequence for.

    Rows that another beat has locked are left to it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TO_TURN, {"now": now, "limit": conf().batch})
        found = cursor.fetchall()
    jobs = [pk for pk, is_pool in found if not is_pool]
    pools = [pk for pk, is_pool in found if is_pool]
    if jobs:
        with transaction.atomic():
            circuits.turn(list(Job.objects.filter(pk__in=jobs).order_by("pk").select_for_update(skip_locked=True)), now)
    if pools:
        with transaction.atomic():
            _turn_pools(pools, now)


def _turn_pools(pools: Sequence[int], now: datetime) -> None:
    locked = list(Pool.objects.filter(pk__in=pools).order_by("pk").select_for_update(skip_locked=True, no_key=True))
    circuits.turn(locked, now)
    for pool in locked:
        due = probe_from(pool.breaker_rules(), pool.circuit_changed_at)
        if pool.circuit == Circuit.OPEN and (due is None or due <= now):
            circuits.probe(pool, None, now)


def close(guarded: Job | Pool, by: str, now: datetime) -> bool:
    """Close the circuit of a job or a pool by hand; False when it was closed already, or is gone."""
    with transaction.atomic():
        if isinstance(guarded, Job):
            return _close(Job.objects.filter(pk=guarded.pk).select_for_update(no_key=True).first(), by, now)
        return _close(Pool.objects.filter(pk=guarded.pk).select_for_update(no_key=True).first(), by, now)


def _close(guarded: circuits.Guarded | None, by: str, now: datetime) -> bool:
    if guarded is None or guarded.circuit == Circuit.CLOSED:
        return False
    return circuits.close(guarded, f"closed by {by}", now)
