"""Rescue: take runs from owners that are dead, send lost messages again, end what has run out of time."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from jobs import transitions
from jobs.conf import conf
from jobs.database import REFUSED, first_line
from jobs.descend import sweep
from jobs.losses import deadline_passed, lose
from jobs.models import Run, Worker
from jobs.states import State
from jobs.transitions import Ticket

logger = logging.getLogger(__name__)

Depths = Callable[[Collection[str]], Mapping[str, int]]
"""How many messages wait in each queue; raises BrokerUnavailable."""

HIDDEN = timedelta(minutes=10)
"""After this long a queued run is sent again although the broker's queue holds more messages than ours."""
HIDDEN_BATCH = 50


@dataclass(frozen=True, slots=True)
class RescueResult:
    """What one pass did."""

    dead_workers: int = 0
    lost: int = 0
    resent: int = 0
    expired: int = 0
    timed_out: int = 0
    descended: int = 0
    abandoned: frozenset[str] = frozenset()
    """Queues of workers that are gone, whose messages nobody will take."""

    def __bool__(self) -> bool:
        return any(
            (self.dead_workers, self.lost, self.resent, self.expired, self.timed_out, self.descended, self.abandoned)
        )


def rescue(now: datetime, depths: Depths) -> RescueResult:
    """One pass over everything that may be stuck."""
    dead, lost = bury_workers(now)
    lost += take_orphans(now)
    expired, timed_out = expire(now), end_overdue(now)
    abandoned, descended = abandon(now), sweep(now)
    # The last, because the broker may be away, and what needs only the database shall not wait for it.
    resent = resend_lost_messages(now, depths)
    return RescueResult(dead, lost, resent, expired, timed_out, descended, abandoned)


def bury_workers(now: datetime) -> tuple[int, int]:
    """Remove the workers whose lease has ended and give up their attempts: how many of each.

    A heartbeat that comes meanwhile waits for the row and then finds it gone.
    """
    with transaction.atomic():
        ended = Worker.objects.filter(lease_until__lt=now).select_for_update(skip_locked=True)
        dead = list(ended[: conf().batch])
        runs = Run.objects.held_by([worker.pk for worker in dead]).values_list("id", "attempt", "worker_name")
        lost = sum(_lose(run_id, attempt, f"the worker {name} went silent", now) for run_id, attempt, name in runs)
        Worker.objects.filter(pk__in=[worker.pk for worker in dead]).delete()
    return len(dead), lost


def take_orphans(now: datetime) -> int:
    """Give up attempts whose worker has no row: a claim that was on its way while its worker was buried."""
    alive = Worker.objects.filter(pk=OuterRef("worker_id"))
    orphans = Run.objects.filter(~Exists(alive), state=State.RUNNING).values_list("id", "attempt", "worker_name")
    return sum(
        _lose(run_id, attempt, f"the worker {name} is gone", now) for run_id, attempt, name in orphans[: conf().batch]
    )


def _lose(run_id: UUID, attempt: int, error: str, now: datetime) -> bool:
    return _alone(run_id, lambda: lose(Ticket(run_id, attempt), error, now))


def _alone(run_id: UUID, step: Callable[[], bool]) -> bool:
    """One run's rescue. A row that the database refuses to change must not keep the others from theirs."""
    try:
        return step()
    except REFUSED as refusal:
        logger.error("run %s cannot be rescued: %s", run_id, first_line(refusal))
        return False


def abandon(now: datetime) -> frozenset[str]:
    """End the runs that only a worker may run which has been gone since they were sent; the queues they were in."""
    alive = Worker.objects.filter(name=OuterRef("for_worker"), lease_until__gt=now)
    sent = Run.objects.overdue(now).filter(~Exists(alive), state=State.QUEUED).exclude(for_worker="")
    rows = sent.values_list("pk", "attempt", "for_worker", "queue")[: conf().batch]
    return frozenset(queue for run_id, attempt, name, queue in rows if _abandon(Ticket(run_id, attempt), name, now))


def _abandon(ticket: Ticket, name: str, now: datetime) -> bool:
    told = {"reason": f"the worker {name} is gone", "error": f"the worker {name} was gone before it ran this"}
    return _alone(ticket.run_id, lambda: transitions.fail(ticket, [State.QUEUED], told, now))


def resend_lost_messages(now: datetime, depths: Depths) -> int:
    """Make queued runs due again whose messages no broker knows.

    Only as many as the broker's queue is short of messages, oldest first: a long queue is not sent all over again.
    """
    overdue = Run.objects.overdue(now).filter(state=State.QUEUED)
    if not overdue.exists():
        return 0
    queued = Run.objects.filter(state=State.QUEUED).order_by().values_list("queue").annotate(count=Count("pk"))
    known = dict(queued)
    waiting = depths(list(known))
    return sum(_resend(queue, count - waiting[queue], now) for queue, count in known.items())


def _resend(queue: str, missing: int, now: datetime) -> int:
    overdue = Run.objects.overdue(now).filter(state=State.QUEUED, queue=queue).values_list("pk", flat=True)
    if missing >= 0:
        return transitions.resend(list(overdue[: min(missing, conf().batch)]), now)
    # More messages than queued runs: others' messages, or doubled ones, may hide that one of ours is lost.
    return transitions.resend(list(overdue.filter(queued_at__lt=now - HIDDEN)[:HIDDEN_BATCH]), now)


def expire(now: datetime) -> int:
    """End the runs that did not start by their start deadline."""
    return transitions.expire(list(Run.objects.expired(now).values_list("pk", flat=True)[: conf().batch]), now)


def end_overdue(now: datetime) -> int:
    """End attempts past their deadline on a living worker: its pool cannot kill, or its parent hangs."""
    overdue = Run.objects.overdue(now).filter(state=State.RUNNING)[: conf().batch]
    return sum(_alone(run.pk, partial(deadline_passed, run, now)) for run in overdue)
