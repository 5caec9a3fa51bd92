"""A round of the beat: plan, tick and send until nothing is due, then say when something will be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from uuid import UUID

from django.db import connection

from jobs.admit import admit
from jobs.backfill import advance
from jobs.dispatch import Publish, dispatch
from jobs.exceptions import BrokerUnavailable
from jobs.limits import explain
from jobs.plan import plan
from jobs.settle import settle
from jobs.tick import tick

BUDGET = 1.0
"""Seconds after which a round that still has work makes way for rescue and the lock, and is taken up again."""


Stop = Callable[[Sequence[UUID]], None]
"""Asks the workers to kill the processes of runs that were cancelled."""


def leave_to_heartbeat(run_ids: Sequence[UUID]) -> None:
    """Ask nobody: a worker learns of a cancelled run at its next heartbeat, and kills it then."""


@dataclass(slots=True)
class RoundResult:
    """What a round did."""

    planned: int = 0
    fired: int = 0
    skipped: int = 0
    missed: int = 0
    set_aside: int = 0
    settled: int = 0
    backfilled: int = 0
    admitted: int = 0
    sent: int = 0
    unfinished: bool = False
    """Something is still due."""
    broker_away: BrokerUnavailable | None = None


def work(
    clock: Callable[[], datetime], trusted: Callable[[], bool], publish: Publish, stop: Stop = leave_to_heartbeat
) -> RoundResult:
    """Batch after batch until nothing is due, the budget is spent, or this beat may not go on.

    When the broker is away ticks go on being recorded, and their runs are sent when it is back. `stop` hastens the end
    of replaced runs.
    """
    result = RoundResult(unfinished=True)
    end = monotonic() + BUDGET
    while result.unfinished and trusted() and monotonic() < end:
        now = clock()
        more = _record(now, result, stop)
        if result.broker_away is None:
            more = _send(now, publish, result) or more
        result.unfinished = more
    if trusted():
        explain(clock())
    return result


def _record(now: datetime, result: RoundResult, stop: Stop) -> bool:
    planned, ticked = plan(now), tick(now)
    if ticked.stopped:
        stop(ticked.stopped)
    settled = settle(now)
    result.settled += settled.settled
    backfilled = advance(now)
    result.backfilled += backfilled.made
    result.admitted += admit(now)
    result.planned += planned.planned
    result.fired += ticked.fired
    result.skipped += ticked.skipped
    result.missed += ticked.missed
    result.set_aside += planned.set_aside + ticked.set_aside
    return planned.more or ticked.more or settled.more or backfilled.more


def _send(now: datetime, publish: Publish, result: RoundResult) -> bool:
    try:
        sent = dispatch(now, publish)
    except BrokerUnavailable as error:
        result.broker_away = error
        return False
    result.sent += sent.sent
    return sent.more


_NEXT_DUE = """
SELECT least((SELECT min(next_run_at) FROM jobs_job WHERE next_run_at > %(now)s),
             (SELECT min(due_at) FROM jobs_run WHERE state = 'waiting' AND NOT limited AND due_at > %(now)s),
             (SELECT greatest(due_at, %(now)s + interval '100 ms') FROM jobs_run
               WHERE state = 'waiting' AND limited AND upstream <> 'pending' ORDER BY due_at LIMIT 1),
             (SELECT min(due_at) FROM jobs_run WHERE state = 'scheduled' AND due_at > %(now)s))
"""


def next_due(now: datetime) -> datetime | None:
    """The next moment at which a job or a run is due, or at which to look again for slots that runs wait for."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_DUE, {"now": now})
        due: datetime | None = cursor.fetchone()[0]
        return due
