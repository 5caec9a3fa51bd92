"""The scheduler class for `celery beat`: a round under the leader's lock, again and again, whatever fails."""

import logging
import random
from collections.abc import Sequence
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django_celery_beat.schedulers import DatabaseScheduler
from kombu import Connection

from jobs.beat_health import HealthFile
from jobs.broker import TIMEOUTS, Broker
from jobs.clock import database_now
from jobs.conf import conf
from jobs.database import first_line
from jobs.exceptions import BrokerUnavailable
from jobs.leader import Leadership, Role
from jobs.rescue import rescue
from jobs.round import next_due, work

logger = logging.getLogger(__name__)

RESCUE_INTERVAL = 1.0
PERIODIC_INTERVAL = 1.0
PAUSE_WHEN_AWAY = 1.0
SHORTEST_SLEEP = 0.005
MOST_PERIODIC = 1000
"""Entries of django-celery-beat sent in one round."""


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Carillon's beat. django-celery-beat's PeriodicTasks go on firing, from the leader alone.

    Celery builds this class twice, once only for the banner, so nothing happens before `tick()`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # So that a new leader knows when its predecessor sent each entry.
        self.sync_every_tasks = 1
        prefix = (self.app.conf.broker_transport_options or {}).get("global_keyprefix", "")
        self._leadership = Leadership(conf().lock_url or self.app.conf.broker_url, prefix)
        self._broker = Broker(self.app)
        self._health = HealthFile()
        self._role: Role | None = None
        self._rescued_at = self._periodic_at = float("-inf")
        self._database_away = self._broker_away = False
        self._in_tick = self._noteless = False

    def setup_schedule(self) -> None:
        """Nothing yet: this runs in `__init__`. See `_take_over`."""

    def tick(self, *_: Any, **__: Any) -> float:
        """One round; seconds to sleep until the next. Never raises an error: that would end the beat."""
        self._in_tick = True
        try:
            return self._turn()
        except (OperationalError, InterfaceError) as error:
            return self._without_database(error)
        except DatabaseError as error:
            logger.error("a round of the beat failed, it goes on: %s", first_line(error))
            return PAUSE_WHEN_AWAY
        except Exception:
            logger.exception("a round of the beat failed; it goes on")
            return PAUSE_WHEN_AWAY
        finally:
            self._in_tick = False

    def close(self) -> None:
        """Hand over to the standby. Celery calls this in its signal handler, in the middle of a tick, and again."""
        if self._in_tick:
            return
        self._leadership.release()
        self._broker.close()
        self._health.remove()
        super().close()

    def _turn(self) -> float:
        role = self._leadership.role()
        if role is not self._role:
            self._change(role)
        if role is Role.STANDBY:
            self._note(role)
            return conf().poll * random.uniform(0.7, 1.0)  # noqa: S311 - only spreads the standbys
        result = work(database_now, self._leadership.trusted, self._publish, self._stop)
        self._mark_broker(result.broker_away)
        self._rescue()
        if role is Role.LEADER:
            self._send_periodic_tasks()
        self._mark_database_back()
        self._note(role)
        # What was let go on may soon let others follow: while that is so there is no pause.
        return SHORTEST_SLEEP if result.unfinished or result.admitted else self._until_next_due()

    def _note(self, role: Role) -> None:
        """Tell that all is well. A disk that is full or not writable costs the health check, never the ticks."""
        try:
            self._health.note(role.value)
        except OSError as error:
            if not self._noteless:
                logger.warning("the beat's health cannot be noted: %s", error)
            self._noteless = True

    def _publish(self, messages: Any) -> None:
        self._broker.publish(messages)

    def _stop(self, run_ids: Sequence[UUID]) -> None:
        """Kill what was replaced. The signal is one that no task can catch: its successor waits for the end."""
        try:
            self._broker.kill(run_ids)
        except BrokerUnavailable as error:
            logger.info("replaced runs are left to the workers' heartbeats: %s", error)

    def _change(self, role: Role) -> None:
        if role is Role.LEADER:
            self._take_over()
        self._role = role
        logger.info("this beat is now %s", role.value)

    def _take_over(self) -> None:
        """Read django-celery-beat's entries anew: another beat may have sent them meanwhile."""
        self._initial_read = True
        self._heap = None
        super().setup_schedule()

    def _until_next_due(self) -> float:
        now = database_now()
        due = next_due(now)
        if due is None:
            return conf().poll
        return min(max((due - now).total_seconds(), SHORTEST_SLEEP), conf().poll)

    def _rescue(self) -> None:
        if monotonic() - self._rescued_at < RESCUE_INTERVAL:
            return
        # A long round may have outlasted the lock; rescue must not starve behind a backlog.
        if not self._leadership.trusted() and self._leadership.role() is Role.STANDBY:
            return
        try:
            found = rescue(database_now(), self._broker.depths)
            if found.abandoned:
                self._broker.purge(found.abandoned)
        except BrokerUnavailable as error:
            self._mark_broker(error)
        else:
            if found:
                logger.warning("rescued: %s", found)
        self._rescued_at = monotonic()

    def _send_periodic_tasks(self) -> None:
        if monotonic() < self._periodic_at:
            return
        for _ in range(MOST_PERIODIC):
            if not self._leadership.trusted():
                return
            wait = super().tick()
            if wait > 0:
                self._periodic_at = monotonic() + min(wait, PERIODIC_INTERVAL)
                return

    def _without_database(self, error: Exception) -> float:
        """Let another beat try, and try again ourselves in a while."""
        connection.close()
        if not self._database_away:
            self._database_away = True
            logger.warning("the database is away: %s", first_line(error))
        self._leadership.release()
        self._role = None
        return PAUSE_WHEN_AWAY

    def _mark_database_back(self) -> None:
        if self._database_away:
            self._database_away = False
            logger.warning("the database is back")

    def _mark_broker(self, error: BrokerUnavailable | None) -> None:
        if error is not None and not self._broker_away:
            logger.warning("the broker is away, runs wait to be sent: %s", error)
        elif error is None and self._broker_away:
            logger.warning("the broker is back")
        self._broker_away = error is not None

    @property
    def connection(self) -> Connection:
        """django-celery-beat's own connection, with time limits: a frozen Redis must not stop the ticks."""
        if "connection" not in self.__dict__:
            options = {**self.app.conf.broker_transport_options, **TIMEOUTS, "max_retries": 0}
            self.__dict__["connection"] = self.app.connection_for_write(transport_options=options)
        opened: Connection = self.__dict__["connection"]
        return opened

    def _ensure_connected(self) -> Connection:
        return self.connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)

    @property
    def info(self) -> str:
        """A line for beat's banner."""
        return f"    . lock -> {conf().lock_key}, {conf().lock_ttl:g} s"
