"""How Carillon gets into a Celery worker: a bootstep, and the signals that only the worker's parent hears."""

import atexit
import logging
import os
import socket
import time
from typing import Any
from uuid import UUID

import celery
from celery import bootsteps, signals
from celery.utils.nodenames import worker_direct
from celery.worker import WorkController, state

from jobs.broker import ATTEMPT
from jobs.lease import Registration
from jobs.losses import Teller
from jobs.transitions import Ticket
from jobs.worker import bookkeeper
from jobs.worker.clean_room import ROOM
from jobs.worker.news import News, Revoked, UnknownTask, process_ended
from jobs.worker.pool import Pool
from jobs.worker.watchdog import Watchdog, watch_this_process

logger = logging.getLogger(__name__)

REGISTRATION_POLL = 0.05


class LeaseStep(bootsteps.StartStopStep):
    """Registers the worker before it takes its first message, and starts its bookkeeper and its watchdog.

    There is no `stop`: it may be called while the pool still drains, and the lease must last as long as the runs.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: WorkController) -> None:
        pool = Pool(worker)
        if not pool.can_kill():
            logger.warning("this pool cannot kill: a run that loses its lease goes on here, and attempts may overlap")
        keeper = bookkeeper.Bookkeeper(pool, lambda: describe(worker))
        bookkeeper.install(keeper)
        keeper.start()
        atexit.register(_farewell, keeper, os.getpid())
        Watchdog(pool, lambda ticket, by: keeper.tell(_death(ticket, keeper.worker_name, by))).start()
        _await_registration(keeper)


def _death(ticket: Ticket, worker_name: str, by: Teller | None) -> News:
    return process_ended(ticket, worker_name, "its process was killed", by)


def _await_registration(keeper: bookkeeper.Bookkeeper) -> None:
    """Take no message before there is a lease to claim under; while the database is away, wait."""
    while not keeper.registered and state.should_stop is None and state.should_terminate is None:
        time.sleep(REGISTRATION_POLL)


def _farewell(keeper: bookkeeper.Bookkeeper, pid: int) -> None:
    if os.getpid() == pid:  # not in a forked child
        keeper.farewell()


def describe(worker: Any) -> Registration:
    """What the worker's row tells of it."""
    direct = worker_direct(worker.hostname).name if worker.app.conf.worker_direct else ""
    return Registration(
        name=worker.hostname,
        host=socket.gethostname(),
        pid=os.getpid(),
        pool=worker.pool_cls.__module__.rpartition(".")[2],
        concurrency=worker.concurrency,
        queues=sorted(set(worker.app.amqp.queues.consume_from) - {direct}),
        tasks=sorted(name for name in worker.app.tasks if not name.startswith("celery.")),
        version=f"celery {celery.__version__}",
        direct_queue=direct,
    )


def connect() -> None:
    """Connect to Celery's signals; once, when Django is ready."""
    signals.celeryd_init.connect(_add_step, weak=False)
    signals.worker_process_init.connect(watch_this_process, weak=False)
    signals.worker_process_init.connect(ROOM.open, weak=False)
    signals.worker_shutting_down.connect(_draining, weak=False)
    signals.task_unknown.connect(_unknown, weak=False)
    signals.task_revoked.connect(_revoked, weak=False)


def _add_step(instance: WorkController, **_: Any) -> None:
    instance.app.steps["worker"].add(LeaseStep)


def _draining(**_: Any) -> None:
    keeper = bookkeeper.current()
    if keeper is not None:
        keeper.draining = True


def _unknown(message: Any, **_: Any) -> None:
    keeper, attempt = bookkeeper.current(), message.headers.get(ATTEMPT)
    if keeper is not None and isinstance(attempt, int):
        ticket, by = Ticket(UUID(message.headers["id"]), attempt), Teller(keeper.worker_id)
        keeper.tell(UnknownTask(ticket, keeper.worker_name, by))


def _revoked(request: Any, **_: Any) -> None:
    keeper = bookkeeper.current()
    if keeper is not None and isinstance(getattr(request, ATTEMPT, None), int):
        keeper.tell(Revoked(UUID(request.id)))
