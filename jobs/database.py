"""Steps that must reach PostgreSQL: repeated on a new connection while it is away."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError)
"""The connection is lost, or the database has no time for this now; the same again may work."""

REFUSED = (DataError, IntegrityError)
"""The database does not take what one row holds; the rows beside it are fine."""

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
    again = False
    while True:
        try:
            return step(again)
        except AWAY as error:
            connection.close()
            if time.monotonic() + pause > give_up_at:
                raise
            if not again:
                logger.warning("the database is away, trying again: %s", first_line(error))
            again = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def clean_connection() -> None:
    """Leave behind what the task did to this thread's connection: an open transaction, or a broken one.

    What the task did not commit is rolled back, as at the end of a request.
    """
    if connection.connection is None:
        return
    if connection.in_atomic_block or not connection.get_autocommit():
        connection.in_atomic_block = False
        connection.savepoint_ids = []
        connection.needs_rollback = False
        connection.close()
    else:
        connection.close_if_unusable_or_obsolete()
