"""Other connections to the database, for tests in which two of them meet."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.waiting import wait_until

T = TypeVar("T")


@contextmanager
def threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads whose database connections are closed at the end."""
    with ThreadPoolExecutor(number) as pool:
        yield pool


def on_own_connection(call: Callable[[], T]) -> T:
    """What `call` returns, made in a thread; its connection is closed afterwards."""
    try:
        return call()
    finally:
        connection.close()


def together(*calls: Callable[[], T]) -> list[T]:
    """Make the calls at the same moment, each in a thread with a connection of its own."""
    barrier = Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        connection.ensure_connection()
        barrier.wait(10)
        return call()

    with threads(len(calls)) as pool:
        futures = [pool.submit(on_own_connection, lambda call=call: start(call)) for call in calls]
        return [future.result(60) for future in futures]


@contextmanager
def another_connection() -> Iterator[BaseDatabaseWrapper]:
    """A second connection of this thread, in autocommit."""
    other = connection.copy()
    try:
        yield other
    finally:
        other.close()


@contextmanager
def locks_held(sql: str, parameters: Sequence[Any] = ()) -> Iterator[None]:
    """Another connection has executed `sql` and keeps its transaction, with its locks, open.

    Who waits for them meanwhile, on this thread's own connection, gets an error: the test could not go on.
    """
    with another_connection() as other, connection.cursor() as here:
        other.set_autocommit(False)
        with other.cursor() as there:
            there.execute(sql, parameters)
        here.execute("SET lock_timeout = '5s'")
        try:
            yield
        finally:
            here.execute("SET lock_timeout = 0")
            other.rollback()


def asked(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a question put on a connection of its own, which sees what others have committed."""
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def wait_until_blocked(statement: str) -> None:
    """Return when some connection waits for a lock with a statement that begins so."""
    blocked = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ltrim(query, E' \\n') LIKE %s"
        " AND pid IN (SELECT pid FROM pg_locks WHERE NOT granted)"
    )
    wait_until(lambda: asked(blocked, [f"{statement}%"]), 10, f"a connection blocked in {statement!r}")


def cut_this_connection() -> None:
    """Have the server end this thread's session."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert cursor.fetchone() == (True,)
