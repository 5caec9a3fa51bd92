"""Steer: what people do to a backfill under way: pause, resume, cancel, and look how far it has come.

The backfill's own row is changed first and decides; its runs follow, and should this process die in between, the beat
goes on with them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from jobs import transitions
from jobs.backfill.sources import source_of
from jobs.control import Revoke, cancel_run
from jobs.models import Backfill, Run
from jobs.models.choices import BackfillOrder, BackfillState
from jobs.states import LIVE, State
from jobs.trigger import RequestRefused

HELD_BY_PAUSE = "its backfill is paused"
CANCELLED_BY = "cancelled by "
STARTABLE = (State.SCHEDULED, State.WAITING, State.QUEUED)
"""Runs that have not begun."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill has come: ticks in all and looked at, runs made, and how those that are kept stand."""

    total: int
    seen: int
    made: int
    states: Mapping[State, int]

    @property
    def succeeded(self) -> int:
        """Runs that have succeeded."""
        return self.states.get(State.SUCCEEDED, 0)

    @property
    def failed(self) -> int:
        """Runs that have failed."""
        return self.states.get(State.FAILED, 0)

    @property
    def live(self) -> int:
        """Runs that have not ended."""
        return sum(number for state, number in self.states.items() if state in LIVE)


def progress(backfill: Backfill) -> Progress:
    """How far it has come, with one question."""
    rows = Run.objects.filter(backfill=backfill).order_by().values_list("state").annotate(number=Count("pk"))
    states = Counter({State(state): number for state, number in rows})
    return Progress(backfill.total, backfill.seen, backfill.made, states)


def pause(backfill_id: int, by: str) -> bool:
    """Make no more runs, and start none of those that wait; those that have begun go on. False if it did not run."""
    running = Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING)
    if not running.update(state=BackfillState.PAUSED, reason=f"paused by {by}"):
        return False
    hold_runs(backfill_id)
    return True


def resume(backfill_id: int) -> bool:
    """Go on from where it was, by the schedule as it is written now. False if it was not paused.

    Raises RequestRefused when the schedule cannot be read.
    """
    with transaction.atomic():
        paused = Backfill.objects.filter(pk=backfill_id, state=BackfillState.PAUSED)
        backfill = paused.select_for_update(of=("self",)).select_related("job").first()
        if backfill is None:
            return False
        _go_by_schedule_of_now(backfill)
        backfill.state, backfill.reason = BackfillState.RUNNING, ""
        backfill.save(update_fields=["state", "reason", "schedules", "total", "position"])
    held = Run.objects.filter(backfill=backfill_id, state=State.HELD, reason=HELD_BY_PAUSE)
    for run_id in held.values_list("pk", flat=True):
        transitions.release(run_id)
    return True


def _go_by_schedule_of_now(backfill: Backfill) -> None:
    try:
        source = source_of(backfill.job)
        if source.describe() == backfill.schedules:
            return
        ahead = source.ticks(backfill.first, backfill.last)
        if backfill.position is not None:
            newest = backfill.order == BackfillOrder.NEWEST
            walk = ahead.backward if newest else ahead.forward
            upcoming = next(walk(backfill.position), None)
            limits = (backfill.first, backfill.position) if newest else (backfill.position, backfill.last)
            backfill.total = backfill.seen + source.ticks(*limits).count()
            backfill.position = upcoming
    except ValueError as error:
        raise RequestRefused("job", f"its ticks cannot be told: {error}") from error
    backfill.schedules = source.describe()


def _leave_to_heartbeat(run_id: UUID) -> None:
    """Ask nobody: a worker learns of a cancelled run at its next heartbeat."""


def cancel(backfill_id: int, by: str, now: datetime, revoke: Revoke = _leave_to_heartbeat) -> bool:
    """Make no more runs, and cancel those that have not ended. False if it had ended.

    What is executing is stopped by `revoke`, or at its worker's next heartbeat.
    """
    open_ones = Backfill.objects.filter(pk=backfill_id, state__in=(BackfillState.RUNNING, BackfillState.PAUSED))
    if not open_ones.update(state=BackfillState.CANCELLED, reason=f"{CANCELLED_BY}{by}"):
        return False
    cancel_runs(backfill_id, now, revoke)
    return True


def cancel_runs(backfill_id: int, now: datetime, revoke: Revoke = _leave_to_heartbeat) -> None:
    """Cancel the runs of a cancelled backfill, and close it when none is left."""
    told = Backfill.objects.filter(pk=backfill_id).values_list("reason", flat=True).first() or ""
    by = f"{told.removeprefix(CANCELLED_BY)}, with its backfill"
    for run_id in Run.objects.live().filter(backfill=backfill_id).values_list("pk", flat=True):
        cancel_run(run_id, by, revoke)
    if not Run.objects.live().filter(backfill=backfill_id).exists():
        closing = Backfill.objects.filter(pk=backfill_id, state=BackfillState.CANCELLED, finished_at=None)
        closing.update(finished_at=now)


def hold_runs(backfill_id: int) -> None:
    """Hold the runs of a paused backfill that have not begun."""
    startable = Run.objects.filter(backfill=backfill_id, state__in=STARTABLE).values_list("pk", flat=True)
    for run_id in startable:
        with transaction.atomic():
            # Locked for each run alone: who resumes it waits for this one, and releases it.
            paused = Backfill.objects.filter(pk=backfill_id, state=BackfillState.PAUSED)
            if paused.select_for_update().first() is None:
                return
            transitions.hold(run_id, HELD_BY_PAUSE)
