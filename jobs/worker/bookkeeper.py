"""The bookkeeper: one thread of the worker's parent, with its own database connection, that renews the lease and
writes what only the parent saw. It works whatever the pool or the broker does.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable
from uuid import uuid4

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from jobs import lease, losses
from jobs.conf import conf
from jobs.database import first_line
from jobs.transitions import Ticket
from jobs.worker.lease_clock import LEASE_CLOCK, steady_now
from jobs.worker.news import GivenBack, News
from jobs.worker.pool import Pool

logger = logging.getLogger(__name__)

RETRY_PAUSE = 1.0
FAREWELL_PATIENCE = 5.0
SHUTDOWN_PATIENCE = 10.0
"""Seconds a worker that shuts down may execute nothing, and not end."""


class Bookkeeper(threading.Thread):
    """Registers the worker, keeps its lease, and writes the parent's news."""

    def __init__(self, pool: Pool, registration: Callable[[], lease.Registration]) -> None:
        super().__init__(name="carillon-bookkeeper", daemon=True)
        self.worker_name = registration().name
        self.worker_id = uuid4()  # nobody's, until the worker is registered
        self.draining = False
        self._pool = pool
        self._registration = registration
        self._registered = False
        self._news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._due = steady_now()
        self._suspects: frozenset[Ticket] = frozenset()
        self._stopping = False
        self._away = False
        self._idle_since: float | None = None

    @property
    def registered(self) -> bool:
        """Whether the worker has a lease."""
        return self._registered

    def tell(self, news: News) -> None:
        """Hand over what happened; never waits."""
        self._news.put(news)

    def run(self) -> None:
        while not self._stopping:
            self._once()
        connection.close()

    def farewell(self) -> None:
        """At the end of the process: kill what still executes, give it back, and remove the worker's row."""
        self._stopping = True
        self._news.put(None)
        self.join(FAREWELL_PATIENCE)
        self._pool.kill_everything()
        self._leave()

    def _leave(self) -> None:
        """Give back what the ledger has running here, and remove the worker's row."""
        try:
            for ticket in lease.executing(self.worker_id):
                GivenBack(ticket, self.worker_name).write()
            lease.retire(self.worker_id)
        except (OperationalError, InterfaceError) as error:
            logger.warning("could not give back the worker's runs, rescue will take them: %s", error)

    def _once(self) -> None:
        news = self._next()
        try:
            if news is not None:
                news.write()
                news = None
                self._due = steady_now()  # a run that waits for the end of this one is let go on by a heartbeat
                self._database_is_back()
            if steady_now() >= self._due:
                self._beat()
                self._database_is_back()
        except (OperationalError, InterfaceError) as error:
            self._database_is_away(error)
            if news is not None:
                self.tell(news)
        except DatabaseError as error:
            logger.error("the worker's bookkeeping failed at %s: %s", news or "a heartbeat", first_line(error))
            self._due = max(self._due, steady_now() + RETRY_PAUSE)
        except Exception:
            logger.exception("the worker's bookkeeping failed at %s", news or "a heartbeat")
            self._due = max(self._due, steady_now() + RETRY_PAUSE)

    def _next(self) -> News | None:
        if self._away:
            # News that could not be written lie in the queue already: do not spin on them.
            threading.Event().wait(RETRY_PAUSE)
        try:
            return self._news.get(timeout=max(0.0, self._due - steady_now()))
        except queue.Empty:
            return None

    def _beat(self) -> None:
        """One heartbeat. The lease's end is counted from before the question was asked."""
        asked_at = steady_now()
        if not self._registered:
            self._register()
        elif not self._renew():
            self._declared_dead()
        LEASE_CLOCK.stop_at(asked_at + conf().lease - conf().lease_margin)
        self._due = asked_at + conf().heartbeat
        self._compare()
        self._end_hung_shutdown()

    def _renew(self) -> bool:
        executing, running = self._pool.active_runs(), len(self._pool.active_requests())
        return lease.renew(self.worker_id, running, self.draining, executing=list(executing))

    def _register(self) -> None:
        self.worker_id = lease.register(self._registration())
        self._registered = True

    def _declared_dead(self) -> None:
        killed = self._pool.kill_everything()
        logger.error("this worker was declared dead: killed %s pool processes, registering anew", killed)
        self._register()

    def _compare(self) -> None:
        """Compare what executes here with the ledger; what looks odd twice in a row is put right."""
        found = lease.ownership(self.worker_id, list(self._pool.active_runs()))
        odd = found.gone | found.unknown_here
        certain = odd & self._suspects
        self._suspects = odd - certain
        doomed = found.cancelled | (found.gone & certain)
        if doomed:
            logger.warning("stopping runs that are not ours any more: killed %s", self._pool.kill_runs(doomed))
        for ticket in found.unknown_here & certain:
            losses.lose(ticket, "no process of its worker executes it")

    def _end_hung_shutdown(self) -> None:
        """End the process if its shutdown does not come to an end though nothing executes any more.

        A worker was once seen to hang in Celery's warm shutdown after its last task had ended; why is not known. A
        deploy would hang until its supervisor kills the worker; what it has fetched is lost either way, and sent again.
        """
        if not self.draining or self._pool.active_requests():
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = steady_now()
        elif steady_now() - self._idle_since >= SHUTDOWN_PATIENCE:
            logger.error("this worker hangs in its shutdown with nothing to do: it ends itself")
            self._pool.kill_everything()
            self._leave()
            os._exit(os.EX_OK)

    def _database_is_away(self, error: Exception) -> None:
        connection.close()
        self._due = steady_now() + RETRY_PAUSE
        if not self._away:
            self._away = True
            logger.warning("the database is away, the lease cannot be renewed: %s", first_line(error))

    def _database_is_back(self) -> None:
        if self._away:
            self._away = False
            logger.warning("the database is back")


_current: list[Bookkeeper] = []


def install(keeper: Bookkeeper) -> None:
    """Make `keeper` this process's."""
    _current[:] = [keeper]


def current() -> Bookkeeper | None:
    """This worker's bookkeeper; None outside a worker's parent."""
    return _current[0] if _current else None
