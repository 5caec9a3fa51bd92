"""Steps that must reach PostgreSQL: repeated on a new connection while it is away."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError)
"""The connection is lost, or the database has no time for this now; the same again may work."""

REFUSED = (DataError, IntegrityError)
"""The database does not take what one row holds; the rows beside it are fine."""

SPOILT = (ProgrammingError, InternalError)
"""The statement is right, so the session must be wrong: a task may have set its search path, or made it read-only."""

SESSION = re.compile(r"\s*(SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)|RESET|LISTEN|PREPARE|CREATE\s+TEMP)", re.I)
"""How statements begin that change the session beyond their transaction."""
SESSION_FUNCTIONS = ("set_config", "pg_advisory_lock", "pg_try_advisory_lock")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


def first_line(error: Exception) -> str:
    """What a database error says, without the lines after it: they hold the whole row, and so the arguments."""
    return str(error).strip().partition("\n")[0]


def persist(step: Callable[[bool], T], patience: float) -> T:
    """The result of `step(again)`, tried anew for up to `patience` seconds while the database is away.

    `again` is False at first. It is True when an earlier try may have been committed without our hearing of it, so
    the step must recognise its own effect.
    """
    give_up_at = time.monotonic() + patience
    pause = FIRST_PAUSE
    again = spoilt = False
    while True:
        try:
            return step(again)
        except SPOILT as error:
            if spoilt:
                raise
            logger.warning("the connection may be spoilt, trying again on a new one: %s", first_line(error))
            connection.close()
            spoilt = True
            continue
        except AWAY as error:
            connection.close()
            if time.monotonic() + pause > give_up_at:
                raise
            if not again:
                logger.warning("the database is away, trying again: %s", first_line(error))
            again = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


class Session:
    """Notices whether a task's statements change the session that the next task will have."""

    def __init__(self) -> None:
        self.changed = False

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if isinstance(sql, str) and (SESSION.match(sql) or any(name in sql for name in SESSION_FUNCTIONS)):
            self.changed = True
        return execute(sql, params, many, context)

    @contextmanager
    def watched(self) -> Iterator["Session"]:
        """Watch the statements inside."""
        before = connection.execute_wrappers[:]
        connection.execute_wrappers.append(self)
        try:
            yield self
        finally:
            connection.execute_wrappers[:] = before


def clean_connection(*, anew: bool = False) -> None:
    """Leave behind what the task did to this thread's connections: an open transaction, or a broken one.

    What the task did not commit is rolled back, as at the end of a request. `anew` also ends the session.
    """
    for other in connections.all(initialized_only=True):
        if other.connection is None and not other.in_atomic_block:
            continue
        if other.in_atomic_block or not other.get_autocommit():
            other.in_atomic_block = False
            other.savepoint_ids = []
            other.needs_rollback = False
            other.closed_in_transaction = False  # with it `close` would leave a closed connection where it is
            other.close()
        elif other.alias == connection.alias and not anew:
            other.close_if_unusable_or_obsolete()
    if anew:
        connection.close()
