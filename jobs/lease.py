"""The lease: one row and one short UPDATE per heartbeat say that a worker, and so all it executes, is alive.

1. A worker registers, and owns a lease of `LEASE` seconds by the database's clock.
2. Every `HEARTBEAT` seconds it renews. Its own idea of the lease's end is measured on its own monotonic clock from
   before it asked, so it lies before the database's.
3. It could not renew and its own end, less `LEASE_MARGIN`, has come: it kills what it executes (jobs.worker.watchdog).
4. The lease has ended in the database: rescue removes the row and gives the runs to others. Only now may another
   attempt start, and by 3 nothing executes any more.
5. The worker comes back: its renewal finds no row, so it kills what it executes and registers anew, under a new id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from jobs.conf import conf
from jobs.models import Run, Worker
from jobs.states import State
from jobs.transitions import Moment, Ticket, later, moment


@dataclass(frozen=True, slots=True)
class Registration:
    """What a worker tells of itself."""

    name: str
    host: str
    pid: int
    pool: str
    concurrency: int
    queues: Sequence[str]
    tasks: Sequence[str]
    version: str
    direct_queue: str = ""
    """The queue that this worker alone serves, if there is one."""


def register(registration: Registration, now: Moment = None) -> UUID:
    """Insert the worker's row with a fresh lease; its id."""
    worker = Worker.objects.create(
        id=uuid4(),
        name=registration.name,
        host=registration.host,
        pid=registration.pid,
        pool=registration.pool,
        concurrency=registration.concurrency,
        queues=list(registration.queues),
        direct_queue=registration.direct_queue,
        tasks=list(registration.tasks),
        version=registration.version,
        started_at=moment(now),
        heartbeat_at=moment(now),
        lease_until=later(now, conf().lease),
    )
    return worker.pk


def renew(
    worker_id: UUID, running: int, draining: bool, now: Moment = None, executing: Collection[Ticket] = ()
) -> bool:
    """Extend the lease, and tell which runs execute; False when the worker has been declared dead."""
    alive = Worker.objects.filter(pk=worker_id).update(
        heartbeat_at=moment(now),
        lease_until=later(now, conf().lease),
        running=running,
        draining=draining,
        executing=[str(ticket.run_id) for ticket in executing],
    )
    return alive == 1


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the ledger says of the attempts a worker executes."""

    cancelled: frozenset[Ticket]
    """To be killed at once."""
    gone: frozenset[Ticket]
    """Belong to a later attempt or another worker; or have just finished here, hence look twice."""
    unknown_here: frozenset[Ticket]
    """The ledger has them running here, but no process does; or has just begun or ended to, hence look twice."""


def ownership(worker_id: UUID, active: Collection[Ticket]) -> Ownership:
    """Compare what a worker executes with the ledger."""
    rows = {
        run.pk: run for run in Run.objects.filter(pk__in=[ticket.run_id for ticket in active]).defer("args", "kwargs")
    }
    cancelled, gone = set(), set()
    for ticket in active:
        run = rows.get(ticket.run_id)
        if run is None or run.state == State.CANCELLED:
            cancelled.add(ticket)
        elif run.attempt != ticket.attempt or (run.state == State.RUNNING and run.worker_id != worker_id):
            gone.add(ticket)
    mine = Run.objects.held_by([worker_id]).values_list("id", "attempt")
    unknown = {Ticket(run_id, attempt) for run_id, attempt in mine} - set(active)
    return Ownership(frozenset(cancelled), frozenset(gone), frozenset(unknown))


def executing(worker_id: UUID) -> list[Ticket]:
    """The attempts that the ledger has running on a worker."""
    return [
        Ticket(run_id, attempt) for run_id, attempt in Run.objects.held_by([worker_id]).values_list("id", "attempt")
    ]


def retire(worker_id: UUID) -> None:
    """Remove the row of a worker that stops and executes nothing any more."""
    Worker.objects.filter(pk=worker_id).delete()
