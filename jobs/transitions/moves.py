"""The moves of a run from state to state, but for the claim.

Each guard names the states the run may come from (a subset of `jobs.states.MOVES`) and, where an attempt acts, its
number. Losing is normal: somebody else was first. `now` is a moment, or None for the database's own clock at the
statement, which saves a question on the path of every run.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, DateTimeField, DurationField, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest, Now

from jobs.models import Run
from jobs.models.choices import UpstreamState
from jobs.states import LIVE, MOVES, State
from jobs.transitions.claim import Moment, Ticket

WAITS_ANEW = Q(limited=True) | Q(backfill__isnull=False)
"""Runs whose next attempt has to be admitted again."""


def moment(now: Moment) -> Combinable:
    """`now` as SQL: a value, or the database's clock."""
    return Now() if now is None else Value(now, output_field=DateTimeField())


def later(now: Moment, seconds: float) -> Combinable:
    """`seconds` after `now`, as SQL."""
    delta = Value(timedelta(seconds=seconds), output_field=DurationField())
    return ExpressionWrapper(moment(now) + delta, output_field=DateTimeField())


def move(
    run_id: UUID, target: State, sources: Iterable[State], changes: dict[str, Any], attempt: int | None = None
) -> bool:
    """Move one run; True when it was in one of `sources` (and at `attempt`), False when somebody was first."""
    runs = Run.objects.filter(pk=run_id, state__in=_checked(sources, target))
    if attempt is not None:
        runs = runs.filter(attempt=attempt)
    return runs.update(**{"state": target} | changes) == 1


def _checked(sources: Iterable[State], target: State) -> list[State]:
    allowed = sorted(set(sources))
    for source in allowed:
        if target not in MOVES[source]:
            raise ValueError(f"a run cannot move from {source} to {target}")
    return allowed


_QUEUE = """
UPDATE jobs_run AS run
   SET state = 'queued', queued_at = %(now)s, deadline_at = %(now)s + %(patience)s
  FROM unnest(%(ids)s::uuid[], %(attempts)s::integer[]) AS sent(id, attempt)
 WHERE run.id = sent.id AND run.attempt = sent.attempt AND run.state = 'scheduled'
"""


def queue(sent: Sequence[Ticket], now: datetime, patience: float) -> int:
    """scheduled → queued for the runs whose messages were sent. A run that has started meanwhile stays running."""
    parameters: dict[str, Any] = {
        "ids": [str(ticket.run_id) for ticket in sent],
        "attempts": [ticket.attempt for ticket in sent],
        "now": now,
        "patience": timedelta(seconds=patience),
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, parameters)
        return int(cursor.rowcount)


def succeed(ticket: Ticket, changes: dict[str, Any], now: Moment = None) -> bool:
    """running → succeeded."""
    ended = {"finished_at": moment(now), "deadline_at": None, "error": "", "traceback": ""}
    return move(ticket.run_id, State.SUCCEEDED, [State.RUNNING], ended | changes, ticket.attempt)


def try_again(
    ticket: Ticket, sources: Iterable[State], delay: float, changes: dict[str, Any], now: Moment = None
) -> bool:
    """running or queued → scheduled, as the next attempt, due `delay` seconds from now.

    A limited run gives its slot back, and waits for another one when it is due: → waiting. So does a backfill's, for
    its place in the line: live ticks do not wait for the end of its delay.
    """
    _checked(sources, State.WAITING)
    waiting = {
        "state": Case(When(WAITS_ANEW, then=Value(State.WAITING)), default=Value(State.SCHEDULED)),
        "attempt": ticket.attempt + 1,
        "due_at": later(now, delay),
        "deadline_at": None,
        "expires_at": None,
        "queued_at": None,
    }
    return move(ticket.run_id, State.SCHEDULED, sources, waiting | changes, ticket.attempt)


def fail(ticket: Ticket, sources: Iterable[State], changes: dict[str, Any], now: Moment = None) -> bool:
    """scheduled, queued or running → failed."""
    ended = {"finished_at": moment(now), "deadline_at": None}
    return move(ticket.run_id, State.FAILED, sources, ended | changes, ticket.attempt)


def resend(run_ids: Collection[UUID], now: datetime) -> int:
    """queued → scheduled: their messages are lost. The attempt stays, so a message that turns up does no harm."""
    runs = Run.objects.filter(pk__in=run_ids, state=State.QUEUED)
    return runs.update(
        state=State.SCHEDULED,
        deadline_at=None,
        resends=F("resends") + 1,
        reason=f"its message was lost at {now:%H:%M:%S} UTC and is sent again",
    )


def expire(run_ids: Collection[UUID], now: datetime) -> int:
    """scheduled, waiting, queued or held → missed: the start deadline has passed."""
    waiting = _checked([State.SCHEDULED, State.WAITING, State.QUEUED, State.HELD], State.MISSED)
    runs = Run.objects.filter(pk__in=run_ids, state__in=waiting, expires_at__lt=now)
    return runs.update(
        state=State.MISSED,
        finished_at=now,
        deadline_at=None,
        reason="it had not started by its start deadline",
    )


def cancel(run_id: UUID, reason: str, now: Moment = None) -> bool:
    """Any live state → cancelled. The process that executes it is stopped separately and then changes nothing."""
    ended = {"finished_at": moment(now), "deadline_at": None, "reason": reason}
    return move(run_id, State.CANCELLED, LIVE, ended)


def hold(run_id: UUID, reason: str) -> bool:
    """scheduled, waiting or queued → held."""
    held = {"deadline_at": None, "reason": reason}
    return move(run_id, State.HELD, [State.SCHEDULED, State.WAITING, State.QUEUED], held)


def release(run_id: UUID) -> bool:
    """held → waiting; it goes on when its turn comes, at once if nothing is before it. It is due when it was before."""
    return move(run_id, State.WAITING, [State.HELD], {"reason": "waits for its turn after a pause"})


def admit(run_ids: Collection[UUID], now: datetime) -> int:
    """waiting → scheduled: their turn has come, and their slot is theirs."""
    runs = Run.objects.filter(pk__in=run_ids, state__in=_checked([State.WAITING], State.SCHEDULED))
    return runs.update(state=State.SCHEDULED, reason="", admitted_at=now)


def skip(run_id: UUID, reason: str, now: Moment = None, **changes: Any) -> bool:
    """waiting → skipped: a policy that could not decide before now forbids the run."""
    ended = {"finished_at": moment(now), "reason": reason}
    return move(run_id, State.SKIPPED, [State.WAITING], ended | changes)


def meet(run_ids: Collection[UUID], reason: str, now: datetime, expires: float | None, **changes: Any) -> int:
    """waiting for upstreams → waiting for its turn, from now on; it must start within `expires` seconds, if given."""
    runs = Run.objects.filter(pk__in=run_ids, state=State.WAITING, upstream=UpstreamState.PENDING)
    return runs.update(
        upstream=UpstreamState.MET,
        reason=reason,
        due_at=Greatest(F("due_at"), moment(now)),
        expires_at=None if expires is None else later(now, expires),
        **changes,
    )
