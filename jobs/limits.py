"""Limits: give free slots to waiting runs. Slots of a job, of a key and of a pool, and a pool's rate.

A limited run holds its slots while it is scheduled, queued or running, and while the process of a cancelled one may
still live. They are counted from these rows in one statement, under the locks of the pool's and the job's row, so no
slot is given twice, and none is lost with its holder.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet

from jobs import circuits, transitions
from jobs.conf import conf
from jobs.limits_sql import CANDIDATES, REASONS
from jobs.models import Attempt, Job, Pool, Run
from jobs.models.run import HOLDING
from jobs.policies.turns import Candidate, choose
from jobs.states import State

AGEING = 300
"""Seconds of waiting that make a run one step more urgent, where there is no pool that says it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What gives out slots: a pool, or a job that is in none."""

    pool_id: int | None
    job_id: int | None
    room: int
    ageing: int
    probing: bool = False
    """The pool's circuit is half open, and lets one run through."""


Found = Mapping[Gate, Sequence[Candidate]]


def admit(now: datetime) -> int:
    """Move to scheduled who is next, as far as there are slots; how many.

    It is looked for twice: without a lock, to know which rows to lock, and then again. Rows that somebody else has
    locked are left to the next round.
    """
    found = _candidates(now, None)
    if not found:
        return 0
    wanted = _chosen(found, now)
    jobs = {candidate.job for gate in found for candidate in found[gate] if candidate.run_id in wanted[gate]}
    with transaction.atomic():
        locked = _locked(jobs)
        return _admit(_candidates(now, locked), now) if locked else 0


def _locked(wanted: Iterable[int]) -> list[int]:
    """The jobs whose rows, and whose pools' rows, could be locked. The locks let by who inserts runs."""
    pools = Pool.objects.filter(jobs__in=wanted).order_by("pk").select_for_update(skip_locked=True, no_key=True)
    open_pools = {None, *pools.values_list("pk", flat=True)}
    jobs = Job.objects.filter(pk__in=wanted).order_by("pk").select_for_update(skip_locked=True, no_key=True)
    return [pk for pk, pool in jobs.values_list("pk", "pool_id") if pool in open_pools]


def _admit(found: Found, now: datetime) -> int:
    chosen = _chosen(found, now)
    for gate, runs in chosen.items():
        if gate.probing and runs and gate.pool_id is not None:
            circuits.probe(Pool.objects.get(pk=gate.pool_id), runs[0], now)
    return transitions.admit(list(chain.from_iterable(chosen.values())), now)


def _chosen(found: Found, now: datetime) -> dict[Gate, list[UUID]]:
    return {gate: choose(candidates, gate.room, gate.ageing, now) for gate, candidates in found.items()}


def _candidates(now: datetime, jobs: Sequence[int] | None) -> Found:
    """Who might be next, of all jobs or of these, by the gate that they wait at: enough of each job and key."""
    found: dict[Gate, list[Candidate]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(CANDIDATES, _parameters(now, jobs))
        for pool_id, room, ageing, probing, *facts in cursor:
            candidate = _candidate(pool_id, *facts)
            job_id = None if pool_id is not None else candidate.job
            found[Gate(pool_id, job_id, room, ageing or AGEING, probing)].append(candidate)
    return found


def _parameters(now: datetime, jobs: Sequence[int] | None) -> dict[str, Any]:
    window = timedelta(seconds=2 * conf().lease)
    return {"now": now, "jobs": jobs, "limit": conf().batch, "window": window}


def _candidate(pool_id: int | None, *facts: Any) -> Candidate:
    run_id, priority, due_at, job_id, job_room, key, key_room, running, served_at = facts
    turn_of = ("key", key) if key and pool_id is not None else ("key", job_id, key)
    return Candidate(run_id, priority, due_at, turn_of, running, served_at, job_id, job_room, key, key_room)


def holding(pool: Pool) -> QuerySet[Run]:
    """The runs that hold a slot of the pool, but for those whose process is being stopped."""
    return Run.objects.filter(pool=pool, limited=True, state__in=HOLDING)


def begun(pool: Pool, now: datetime) -> int:
    """How many attempts have started within the pool's period, or may start at any moment."""
    since = now - timedelta(seconds=pool.period)
    started = Run.objects.filter(pool=pool, started_at__gt=since)
    before = Attempt.objects.filter(run__in=started, started_at__gt=since, started_at__lt=F("run__started_at"))
    return started.count() + before.count() + holding(pool).exclude(state=State.RUNNING).count()


def explain(now: datetime) -> int:
    """Write on runs that wait for a slot what that depends on, where it has changed; how many, at most a batch."""
    with connection.cursor() as cursor:
        cursor.execute(REASONS, _parameters(now, None))
        told = dict(cursor.fetchall())
    return transitions.tell(told) if told else 0
