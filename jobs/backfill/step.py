"""Step: the beat's step: each backfill that has room for more gets runs, and one whose runs have ended is done."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import connection, transaction

from jobs.backfill.shape import Shaper
from jobs.backfill.sources import Source, source_of
from jobs.backfill.standing import stood
from jobs.backfill.steer import STARTABLE, cancel_runs, hold_runs
from jobs.births import Birth, insert
from jobs.conf import conf
from jobs.database import AWAY, first_line
from jobs.models import Backfill, Job
from jobs.models.choices import BackfillOrder, BackfillState, Circuit, FanOut
from jobs.states import LIVE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """How many runs were made."""

    made: int = 0
    more: bool = False

    def __add__(self, other: "BackfillResult") -> "BackfillResult":
        return BackfillResult(self.made + other.made, self.more or other.more)


# Those with something to do: room for another tick, nothing left to do, or runs that a pause or a cancel has still to
# reach, because whoever asked for it died in the middle.
_WITH_WORK = """
SELECT backfill.id
  FROM jobs_backfill AS backfill
 CROSS JOIN LATERAL (SELECT count(DISTINCT coalesce(group_id, id)) AS live,
                            count(*) FILTER (WHERE state = ANY(%(startable)s)) AS startable
                       FROM jobs_run AS run
                      WHERE run.backfill_id = backfill.id AND run.state = ANY(%(live)s)) AS runs
 WHERE backfill.finished_at IS NULL
   AND CASE backfill.state
       WHEN 'running' THEN CASE WHEN backfill.position IS NULL THEN runs.live = 0 ELSE runs.live < backfill.at_once END
       WHEN 'paused' THEN runs.startable > 0
       ELSE true END
 ORDER BY backfill.id
"""
_LIVE_TICKS = """
SELECT count(DISTINCT coalesce(group_id, id)) FROM jobs_run WHERE backfill_id = %(id)s AND state = ANY(%(live)s)
"""


def advance(now: datetime) -> BackfillResult:
    """One batch of each backfill with something to do, each in a transaction of its own.

    How far it has come is in its row alone, which is locked meanwhile, so any number of beats may do this. A backfill
    that cannot go on is paused with the reason, and does not stop the others.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WITH_WORK, {"live": sorted(LIVE), "startable": list(STARTABLE)})
        found = [row[0] for row in cursor.fetchall()]
    return sum((_guarded(backfill_id, now) for backfill_id in found), BackfillResult())


def _guarded(backfill_id: int, now: datetime) -> BackfillResult:
    try:
        return _one(backfill_id, now)
    except AWAY:
        raise  # not the backfill's fault
    except Exception as error:  # noqa: BLE001 - one that cannot go on must not stop the others
        text = first_line(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {first_line(error)}"
        logger.error("backfill %s is paused, as it cannot go on: %s", backfill_id, text)
        _pause(backfill_id, f"paused by the beat, because it could not go on: {text}")
        return BackfillResult()


def _one(backfill_id: int, now: datetime) -> BackfillResult:
    state = Backfill.objects.filter(pk=backfill_id).values_list("state", flat=True).first()
    if state == BackfillState.CANCELLED:
        cancel_runs(backfill_id, now)
    elif state == BackfillState.PAUSED:
        hold_runs(backfill_id)
    elif state == BackfillState.RUNNING:
        return _go_on(backfill_id, now)
    return BackfillResult()


def _go_on(backfill_id: int, now: datetime) -> BackfillResult:
    """A batch of ticks. Rows that somebody else has locked are left to the next round."""
    with transaction.atomic():
        running = Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING)
        backfill = running.select_for_update(skip_locked=True).first()
        if backfill is None:
            return BackfillResult()
        # As a trigger locks it, so that nobody else makes a run of the same tick meanwhile.
        job = Job.objects.filter(pk=backfill.job_id).select_for_update(skip_locked=True, no_key=True).first()
        if job is None:
            return BackfillResult()
        source = source_of(job)
        if source.describe() != backfill.schedules:
            return _edited(backfill)
        if not source.handled(backfill.last) or job.circuit != Circuit.CLOSED:
            return BackfillResult()
        return _batch(backfill, job, source, now)


def _batch(backfill: Backfill, job: Job, source: Source, now: datetime) -> BackfillResult:
    limit = max(1, conf().batch // (job.shards if job.fan_out == FanOut.SHARDS else 1))
    room = backfill.at_once - _live_ticks(backfill)
    ahead = _ahead(backfill, source, limit + 1) if room > 0 else []
    births, seen = _shaped(backfill, job, source, ahead[:limit], room, now)
    made = len(insert(births, now))
    if room > 0:
        backfill.position = ahead[seen] if seen < len(ahead) else None
    backfill.seen += seen
    backfill.made += made
    if backfill.position is None and not _live_ticks(backfill):
        backfill.state, backfill.finished_at = BackfillState.DONE, now
    backfill.save(update_fields=["position", "seen", "made", "state", "finished_at"])
    return BackfillResult(made, more=backfill.position is not None and 0 < seen == limit)


def _ahead(backfill: Backfill, source: Source, most: int) -> list[datetime]:
    """The next ticks to look at, in the backfill's order."""
    if backfill.position is None:
        return []
    ticks = source.ticks(backfill.first, backfill.last)
    walk = ticks.backward if backfill.order == BackfillOrder.NEWEST else ticks.forward
    return list(islice(walk(backfill.position), most))


def _shaped(
    backfill: Backfill, job: Job, source: Source, ticks: Sequence[datetime], room: int, now: datetime
) -> tuple[list[Birth], int]:
    """The runs for as many of the ticks as there is room for, and how many ticks were looked at."""
    looks = stood(job.pk, ticks)
    shaper = Shaper.of(backfill, job, source, looks, now)
    births: list[Birth] = []
    for seen, tick in enumerate(ticks):
        if not room:
            return births, seen
        new = shaper.runs(tick, looks[tick])
        births += new
        room -= any(birth.state in LIVE for birth in new)
    return births, len(ticks)


def _live_ticks(backfill: Backfill) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LIVE_TICKS, {"id": backfill.pk, "live": sorted(LIVE)})
        number: int = cursor.fetchone()[0]
        return number


def _edited(backfill: Backfill) -> BackfillResult:
    logger.warning("backfill %s is paused, the schedule of its job has changed", backfill.pk)
    _pause(
        backfill.pk,
        f"paused by the beat, because the schedule was changed; it was {backfill.schedules}. "
        "Resume it to go on by the new one",
    )
    return BackfillResult()


def _pause(backfill_id: int, reason: str) -> None:
    running = Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING)
    running.update(state=BackfillState.PAUSED, reason=reason)
