"""Settle: what follows from the end of a run beyond itself: for the jobs after it, for a circuit breaker, a canary."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from jobs import breakers, canaries, descend
from jobs.conf import conf
from jobs.database import REFUSED, first_line
from jobs.models import Job, Run, Upstream

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SettleResult:
    """How many ends were looked at."""

    settled: int = 0
    more: bool = False


def settle(now: datetime) -> SettleResult:
    """Settle one batch of runs that have ended. One that the database refuses must not stop the others."""
    breakers.turn(now)
    limit = conf().batch
    ended = list(Run.objects.unsettled().values_list("pk", flat=True)[:limit])
    if not ended:
        return SettleResult()
    try:
        settled = _batch(ended, now)
    except REFUSED as error:
        logger.error("a batch of ended runs was refused, each is tried alone: %s", first_line(error))
        settled = sum(_alone(run_id, now) for run_id in ended)
    return SettleResult(settled, more=settled == limit)


def _alone(run_id: UUID, now: datetime) -> int:
    try:
        return _batch([run_id], now)
    except REFUSED as error:
        logger.error("nothing follows from the end of the run %s: %s", run_id, first_line(error))
        return Run.objects.filter(pk=run_id).update(unsettled=False)


def _batch(ended: Sequence[UUID], now: datetime) -> int:
    """Rows that another beat has locked are left to it, and a run whose job is locked to the next round."""
    with transaction.atomic():
        runs = list(Run.objects.unsettled().filter(pk__in=ended).select_for_update(skip_locked=True))
        below = dict.fromkeys((run.job_id for run in runs), frozenset[int]())
        for upstream_id, job_id in Upstream.objects.filter(upstream_id__in=below).values_list("upstream_id", "job_id"):
            below[upstream_id] |= {job_id}
        concerned = below.keys() | {job_id for children in below.values() for job_id in children}
        locking = Job.objects.filter(pk__in=concerned).order_by("pk").select_for_update(skip_locked=True)
        jobs = {job.pk: job for job in locking}
        runs = [run for run in runs if {run.job_id, *below[run.job_id]} <= jobs.keys()]
        descend.follow(runs, jobs, now)
        breakers.judge(runs, jobs, now)
        canaries.judge(runs, jobs, now)
        return Run.objects.filter(pk__in=[run.pk for run in runs]).update(unsettled=False)
