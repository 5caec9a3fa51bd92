"""Steps that must reach PostgreSQL: repeated on a new connection, and given up when their patience ends."""

import logging

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction

from jobs import database
from jobs.clock import database_now
from jobs.database import Session, clean_connection, persist
from jobs.models import Job
from tests.connections import cut_this_connection
from tests.factories import make_job

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    return int(connection.connection.info.backend_pid)


def one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def test_a_step_that_works_is_made_once() -> None:
    calls: list[bool] = []
    assert persist(lambda again: calls.append(again) or one(), 5) == 1  # type: ignore[func-returns-value]
    assert calls == [False]


def test_a_cut_connection_is_replaced_and_the_step_made_again(caplog: pytest.LogCaptureFixture) -> None:
    cut_this_connection()
    calls: list[bool] = []

    def step(again: bool) -> int:
        calls.append(again)
        return one()

    with caplog.at_level(logging.WARNING):
        assert persist(step, 5) == 1
    assert calls == [False, True]
    assert [record.message.split(":")[0] for record in caplog.records] == ["the database is away, trying again"]


def test_a_long_absence_is_logged_once_and_the_pauses_grow(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[bool] = []

    def step(again: bool) -> str:
        calls.append(again)
        if len(calls) < 4:
            raise OperationalError("connection refused")
        return "done"

    with caplog.at_level(logging.WARNING):
        assert persist(step, 30) == "done"
    assert calls == [False, True, True, True]
    assert len(caplog.records) == 1


def test_a_step_is_given_up_with_its_error_when_its_patience_ends() -> None:
    def step(again: bool) -> None:
        raise OperationalError("connection refused")

    with pytest.raises(OperationalError, match="connection refused"):
        persist(step, database.FIRST_PAUSE * 2)


def test_an_error_that_another_connection_would_not_heal_is_not_repeated() -> None:
    make_job(name="taken")
    calls: list[bool] = []

    def step(again: bool) -> None:
        calls.append(again)
        make_job(name="taken")

    with pytest.raises(IntegrityError):
        persist(step, 5)
    assert calls == [False]


def test_a_connection_in_good_order_is_kept() -> None:
    one()
    before = backend()
    clean_connection()
    assert one() == 1
    assert backend() == before


def test_no_connection_is_opened_to_clean_none() -> None:
    connection.close()
    clean_connection()
    assert connection.connection is None


def test_a_broken_connection_is_not_kept() -> None:
    one()
    cut_this_connection()
    with pytest.raises(OperationalError):
        one()
    clean_connection()
    assert one() == 1


def test_the_clock_is_aware_in_utc_and_moves_within_a_transaction() -> None:
    first, second = database_now(), database_now()
    assert first.utcoffset() is not None
    assert first < second


def test_a_spoilt_session_is_replaced_once(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = nowhere")
    assert persist(lambda _: Job.objects.count(), 5) == 0
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "the connection may be spoilt, trying again on a new one"
    ]


def test_a_statement_that_is_wrong_on_every_connection_is_given_up() -> None:
    calls: list[bool] = []

    def step(again: bool) -> None:
        calls.append(again)
        with connection.cursor() as cursor:
            cursor.execute("SELECT nonsense")

    with pytest.raises(ProgrammingError, match="nonsense"):
        persist(step, 5)
    assert calls == [False, False]


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("SET statement_timeout = 1", True),
        ("  set\n search_path TO nowhere", True),
        ("SELECT set_config('search_path', 'nowhere', false)", True),
        ("SELECT pg_advisory_lock(1)", True),
        ("LISTEN something", True),
        ("CREATE TEMP TABLE jobs_run (id int)", True),
        ("SET LOCAL statement_timeout = 1", False),
        ("SET TRANSACTION READ ONLY", False),
        ("UPDATE jobs_job SET description = 'SET'", False),
        ("SELECT 'settled'", False),
    ],
)
def test_a_statement_that_changes_the_session_is_noticed(statement: str, changes: bool) -> None:
    with Session().watched() as session, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert session.changed is changes
    assert connection.execute_wrappers == []
    before = backend()
    clean_connection(anew=session.changed)
    one()
    assert (backend() != before) is changes


def test_a_connection_that_was_closed_inside_a_transaction_is_usable_again() -> None:
    transaction.atomic().__enter__()
    connection.close()
    clean_connection()
    assert one() == 1
    assert not connection.in_atomic_block
