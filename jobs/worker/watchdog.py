"""The watchdog: kills what executes when the lease could not be renewed in time. It does no I/O that could hang.

In the worker's parent it kills the pool's processes, and tells of those that have been killed by others; in each pool
process it kills that process, for the case that the parent is frozen.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from jobs.current import is_executing
from jobs.losses import Teller
from jobs.transitions import Ticket
from jobs.worker.lease_clock import LEASE_CLOCK
from jobs.worker.pool import Pool

logger = logging.getLogger(__name__)

PAUSE = 0.2


class Watchdog(threading.Thread):
    """Watches the lease clock from the parent and kills in time."""

    def __init__(self, pool: Pool, tell: Callable[[Ticket, Teller | None], None]) -> None:
        super().__init__(name="carillon-watchdog", daemon=True)
        self._pool = pool
        self._tell = tell
        self._told: set[Ticket] = set()
        self._fenced = False

    def run(self) -> None:
        while True:
            time.sleep(PAUSE)
            self._look_for_deaths()
            if LEASE_CLOCK.over:
                self._fence()
            elif self._fenced:
                self._fenced = False
                logger.warning("the lease is renewed: runs may execute again")

    def _look_for_deaths(self) -> None:
        dead = self._pool.runs_without_process()
        for ticket in dead.keys() - self._told:
            self._tell(ticket, dead[ticket])
        self._told = set(dead)

    def _fence(self) -> None:
        """At first every process that may execute a run, then those that begin one nevertheless."""
        if self._fenced:
            self._pool.kill_runs(list(self._pool.active_runs()))
            return
        killed = self._pool.kill_everything()
        self._fenced = True
        logger.error("the lease could not be renewed in time: killed %s pool processes", killed)


def watch_this_process(**_: object) -> None:
    """Start the watchdog of a pool process."""
    threading.Thread(target=_die_in_time, name="carillon-watchdog", daemon=True).start()


def _die_in_time() -> None:
    while True:
        time.sleep(PAUSE)
        if LEASE_CLOCK.over and is_executing():
            os.kill(os.getpid(), signal.SIGKILL)
