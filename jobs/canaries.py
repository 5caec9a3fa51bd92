"""Canaries: start one, judge it by the runs that have ended, promote it or revert it by hand."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from jobs.models import Canary, Job, Run
from jobs.models.choices import CanaryState
from jobs.models.validate_canary import changes_of
from jobs.policies.canary import CanaryRules, Figures, why_revert

logger = logging.getLogger(__name__)

BEFORE = 100
"""How many of the job's runs before the canary are compared with it."""
LATEST = 1_000
"""How many of each side's runs since then are looked at, the latest, however long the canary goes on."""

_TICKS = "run.job_id = %(job)s AND run.canary_id IS NULL AND run.trigger IN ('schedule', 'upstream')"
_FINISHED = "run.state IN ('succeeded', 'failed')"
_RUNS = "SELECT run.state, run.finished_at - run.started_at AS took FROM jobs_run AS run WHERE"
_LAST = "ORDER BY run.finished_at DESC LIMIT"

# Only the words above are put into the text.
_FIGURES = f"""
WITH others AS (
    ({_RUNS} {_FINISHED} AND {_TICKS} AND run.finished_at >= %(since)s {_LAST} %(latest)s)
    UNION ALL
    ({_RUNS} {_FINISHED} AND {_TICKS} AND run.finished_at < %(since)s {_LAST} %(before)s)),
own AS ({_RUNS} {_FINISHED} AND run.canary_id = %(canary)s {_LAST} %(latest)s)
SELECT side.own, count(*), count(*) FILTER (WHERE side.state = 'failed'),
       extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY side.took)
                          FILTER (WHERE side.state = 'succeeded'))::float8
  FROM (SELECT TRUE AS own, * FROM own UNION ALL SELECT FALSE, * FROM others) AS side
 GROUP BY side.own
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a canary has done, beside the other runs of its job's ticks: those since it began, and 100 before."""

    canary: Figures
    others: Figures


def judge(runs: Sequence[Run], jobs: Mapping[int, Job], now: datetime) -> None:
    """By these runs, which have ended; `jobs` are theirs and those that run after them, and are locked."""
    concerned = {run.job_id for run in runs} & jobs.keys()
    running = Canary.objects.filter(job__in=concerned, state=CanaryState.RUNNING).order_by("pk")
    for canary in running.select_for_update(no_key=True):
        found = compare(canary)
        if why := why_revert(rules_of(canary), found.canary, found.others):
            _end(canary, CanaryState.REVERTED, why, now)
            logger.warning("the canary %s of the job %r reverts: %s", canary.pk, jobs[canary.job_id].name, why)


def rules_of(canary: Canary) -> CanaryRules:
    """The rules as the policy takes them."""
    return CanaryRules(canary.least_runs, canary.failure_margin, canary.duration_margin)


def compare(canary: Canary) -> Comparison:
    """How the canary has done so far, with one question."""
    parameters: dict[str, Any] = {
        "job": canary.job_id,
        "canary": canary.pk,
        "since": canary.created_at,
        "latest": LATEST,
        "before": BEFORE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters)
        sides = {own: Figures(*figures) for own, *figures in cursor.fetchall()}
    return Comparison(sides.get(True, Figures()), sides.get(False, Figures()))


def start(canary: Canary, by: str) -> Canary:
    """Begin a canary as it stands, from the next tick on. Raises ValidationError, or Job.DoesNotExist."""
    with transaction.atomic():
        canary.job = Job.objects.select_for_update(no_key=True).get(pk=canary.job_id)
        canary.made_by = by
        canary.full_clean()
        canary.save(force_insert=True)
    canary.refresh_from_db()
    return canary


def revert(canary: Canary, by: str, why: str, now: datetime) -> bool:
    """End it by hand: all ticks run as the job says again. False when it had ended."""
    with transaction.atomic():
        running = _locked(canary)
        reason = f"reverted by {by}: {why}" if why else f"reverted by {by}"
        return running is not None and _end(running, CanaryState.REVERTED, reason, now)


def promote(canary: Canary, by: str, now: datetime) -> bool:
    """End it, and write what it has otherwise into its job. False when it had ended.

    Raises ValidationError when the job would not make sense with it, as it stands now.
    """
    with transaction.atomic():
        running = _locked(canary)
        if running is None:
            return False
        job, changes = running.job, changes_of(running)
        for name, value in changes.items():
            setattr(job, name, value)
        job.full_clean()
        job.save(update_fields=list(changes))
        return _end(running, CanaryState.PROMOTED, f"promoted by {by}", now)


def _locked(canary: Canary) -> Canary | None:
    """The canary, if it still runs, under the lock on its job, which every beat holds that makes or judges its runs."""
    job = Job.objects.filter(pk=canary.job_id).select_for_update(no_key=True).first()
    running = Canary.objects.filter(pk=canary.pk, state=CanaryState.RUNNING).select_for_update(no_key=True).first()
    if job is None or running is None:
        return None
    running.job = job
    return running


def _end(canary: Canary, state: CanaryState, reason: str, now: datetime) -> bool:
    running = Canary.objects.filter(pk=canary.pk, state=CanaryState.RUNNING)
    return running.update(state=state, reason=reason, finished_at=now) == 1
