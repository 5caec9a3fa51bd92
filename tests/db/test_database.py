"""Steps that must reach PostgreSQL: repeated on a new connection, and given up when their patience ends."""

import logging

import pytest
from django.db import IntegrityError, OperationalError, connection

from jobs import database
from jobs.clock import database_now
from jobs.database import clean_connection, persist
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
