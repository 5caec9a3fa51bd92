"""Circuits: what the ledger says to the circuit breaker of a job or a pool, and every change of a circuit.

A job's circuit changes only under the lock on the job's row, a pool's under that on the pool's. The probe of a job is a
tick with all its runs (its id is that of the first), the probe of a pool a single run.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Q

from jobs.models import Job, Pool, Run
from jobs.models.choices import Circuit
from jobs.policies.breaker import BreakerRules, Ended, ended_as, of_the_probe, since, why_open
from jobs.states import TERMINAL, State

logger = logging.getLogger(__name__)

OUTCOMES = (State.SUCCEEDED, State.FAILED)

Guarded = TypeVar("Guarded", Job, Pool)

_RUNS_OF_TICKS = """
SELECT probe.id, run.state, run.error_classes::text
  FROM jobs_run AS probe
  JOIN jobs_run AS run ON run.job_id = probe.job_id AND run.scheduled_for = probe.scheduled_for
                      AND run.trigger NOT IN ('manual', 'retry') AND coalesce(run.group_id, run.id) = probe.id
 WHERE probe.id = ANY(%s::uuid[])
"""


def judge(guarded: Guarded, now: datetime) -> bool:
    """Open the closed circuit of a job or a pool, whose row the caller has locked, if its last runs say so.

    They are those in the ledger now, by the time of their end: failures that a success has followed open nothing.
    """
    rules = guarded.breaker_rules()
    if guarded.circuit != Circuit.CLOSED or not rules.on:
        return False
    states = _outcomes(guarded, rules).values_list("state", flat=True)[: rules.reach]
    why = why_open(rules, [state == State.FAILED for state in states])
    return bool(why) and _change(guarded, Circuit.OPEN, why, now)


def _outcomes(guarded: Guarded, rules: BreakerRules) -> Any:
    """The runs that count, the last one first. A job's canary has its own judge, and a backfill is no live tick."""
    runs = Run.objects.filter(state__in=OUTCOMES)
    if isinstance(guarded, Job):
        runs = runs.filter(job=guarded, canary__isnull=True, backfill__isnull=True)
    else:
        runs = runs.filter(pool=guarded)
    if rules.exceptions:
        runs = runs.filter(Q(state=State.SUCCEEDED) | Q(error_classes__has_any_keys=sorted(rules.exceptions)))
    if guarded.circuit_counts_from is not None:
        runs = runs.filter(finished_at__gt=guarded.circuit_counts_from)
    return runs.order_by("-finished_at")


def turn(guarded: Sequence[Guarded], now: datetime) -> None:
    """Let the circuits of these jobs or pools, whose rows the caller has locked, follow from their probes' ends.

    One whose breaker was switched off is closed. One whose probe says nothing, or is gone, waits for another probe.
    """
    probed = [one for one in guarded if one.circuit == Circuit.HALF_OPEN and one.circuit_probe is not None]
    ends = _runs_of_probes(probed)
    for one in guarded:
        if one.circuit == Circuit.CLOSED:
            continue
        if not one.breaker_rules().on:
            close(one, "its breaker was switched off", now)
        elif one in probed:
            _follow(one, ends.get(one.circuit_probe, ()), now)


def _runs_of_probes(probed: Sequence[Guarded]) -> Mapping[UUID | None, list[tuple[str, Any]]]:
    probes = [one.circuit_probe for one in probed if one.circuit_probe is not None]
    if not probes:
        return {}
    rows = list(Run.objects.filter(pk__in=probes).values_list("pk", "state", "error_classes"))
    if isinstance(probed[0], Job):
        with connection.cursor() as cursor:
            cursor.execute(_RUNS_OF_TICKS, [probes])
            rows += [(tick, state, json.loads(classes or "null")) for tick, state, classes in cursor.fetchall()]
    found: dict[UUID | None, list[tuple[str, Any]]] = {}
    for probe, state, classes in rows:
        found.setdefault(probe, []).append((state, classes))
    return found


def _follow(guarded: Guarded, runs: Sequence[tuple[str, Any]], now: datetime) -> None:
    if any(state not in TERMINAL for state, _ in runs):
        return
    rules = guarded.breaker_rules()
    match of_the_probe([ended_as(rules, state, classes) for state, classes in runs]):
        case Ended.SUCCEEDED:
            close(guarded, f"the probe {guarded.circuit_probe} succeeded", now)
        case Ended.FAILED:
            _change(guarded, Circuit.OPEN, f"the probe {guarded.circuit_probe} failed", now)
        case Ended.SAYS_NOTHING:
            _change(guarded, Circuit.HALF_OPEN, guarded.circuit_reason, now)


def probe(guarded: Guarded, run_id: UUID | None, now: datetime) -> bool:
    """Let a probe through the open or half-open circuit, or without an id whichever comes first."""
    return _change(guarded, Circuit.HALF_OPEN, guarded.circuit_reason, now, probe=run_id)


def close(guarded: Guarded, reason: str, now: datetime) -> bool:
    """Close the circuit; only runs that end from now on count."""
    return _change(guarded, Circuit.CLOSED, reason, now, counts_from=now)


def _change(
    guarded: Guarded,
    circuit: Circuit,
    reason: str,
    now: datetime,
    *,
    probe: UUID | None = None,
    counts_from: datetime | None = None,
) -> bool:
    """The one guarded update; `guarded` then tells what the row does. False when the row was another than that."""
    seen = {"pk": guarded.pk, "circuit": guarded.circuit, "circuit_probe": guarded.circuit_probe}
    changes: dict[str, Any] = {"circuit": circuit, "circuit_reason": reason, "circuit_probe": probe}
    if circuit != guarded.circuit:
        changes["circuit_changed_at"] = now
    if counts_from is not None:
        changes["circuit_counts_from"] = counts_from
    if type(guarded)._default_manager.filter(**seen).update(**changes) != 1:
        return False
    _tell(guarded, circuit, reason)
    for name, value in changes.items():
        setattr(guarded, name, value)
    return True


def _tell(guarded: Guarded, circuit: Circuit, reason: str) -> None:
    level = logging.WARNING if circuit == Circuit.OPEN else logging.INFO
    kind = guarded._meta.verbose_name
    logger.log(level, "the circuit of the %s %r is %s: %s", kind, guarded.__str__(), circuit.label.lower(), reason)


def told(guarded: Guarded, now: datetime) -> str:
    """How the circuit stands and why, in a clause: "circuit open since 02:10:00 UTC: 5 failures in a row"."""
    word = guarded.get_circuit_display().lower()
    return f"circuit {word} since {since(guarded.circuit_changed_at, now)}: {guarded.circuit_reason}"
