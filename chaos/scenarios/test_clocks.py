"""Clocks that are wrong: of the machines, and of the database itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from chaos.world import World
from tests.process.test_crash_table import skewed
from tests.waiting import wait_until

# The functions are found before those of pg_catalog where the search path says so; each reads how far the clock is off.
_SKEWED_CLOCK = """
CREATE SCHEMA skew;
CREATE TABLE skew.off (seconds double precision NOT NULL);
INSERT INTO skew.off VALUES (0);
CREATE FUNCTION skew.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + seconds * interval ''1 second'' FROM skew.off';
CREATE FUNCTION skew.statement_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.statement_timestamp() + seconds * interval ''1 second'' FROM skew.off';
CREATE FUNCTION skew.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.now() + seconds * interval ''1 second'' FROM skew.off';
"""


@contextmanager
def database_clock() -> Iterator[None]:
    """The database's clock can be set off, for every session that begins from now on."""
    with connection.cursor() as cursor:
        cursor.execute(_SKEWED_CLOCK)
        cursor.execute("SELECT current_database()")
        name = cursor.fetchone()[0]
        cursor.execute(f'ALTER DATABASE "{name}" SET search_path = skew, pg_catalog, public')
        cursor.execute("SET search_path = skew, pg_catalog, public")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET search_path')
            cursor.execute("SET search_path = public")
            cursor.execute("DROP SCHEMA skew CASCADE")


def set_off(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE skew.off SET seconds = %s", [seconds])


def test_the_machines_clocks_are_an_hour_off_either_way(world: World) -> None:
    world.findings.promise = "10"
    world.worker(env=skewed(1))
    world.worker(env=skewed(-1))
    world.beat(env=skewed(-1))
    world.beat(env=skewed(1))
    world.job()
    world.job(name="flaky", task="chaos.flaky", retry_policy="fixed", retry_delay=1, overlap="skip")
    with world.timed(bar=30):
        wait_until(lambda: len(world.seen("end")) > 15, 60, "runs are executed")
    assert world.finish().faults() == []


def test_the_machines_clocks_jump_ten_minutes_to_and_fro(world: World) -> None:
    world.findings.promise = "10"
    jumping = {"SKEW_JUMP": "600"}
    world.worker(env=skewed(0) | jumping)
    world.beat(env=skewed(0) | jumping)
    world.beat(env=skewed(1) | jumping)
    world.job()
    world.job(name="flaky", task="chaos.flaky", retry_policy="fixed", retry_delay=1, overlap="skip")
    with world.timed(bar=30):
        wait_until(lambda: len(world.seen("end")) > 15, 60, "runs are executed")
    assert world.finish().faults() == []


@pytest.mark.parametrize("seconds", [600, -600])
def test_the_databases_clock_steps_ten_minutes(world: World, seconds: int) -> None:
    """It decides; so ticks that it jumps over are missed or made up for, and none comes twice when it goes back."""
    world.findings.promise = "10"
    with database_clock():
        world.worker()
        world.beat()
        world.job()
        wait_until(lambda: len(world.seen("end")) > 3, 40, "runs are executed")
        set_off(seconds)
        if seconds < 0:
            # Until the clock has come to where it was no tick is due; it is set back before that would take so long.
            time.sleep(5)  # the fault itself
            set_off(0)
        world.executes_again(60)
        starts = [(line["run"], line["attempt"]) for line in world.seen("start")]
        assert len(starts) == len(set(starts))
        assert world.finish(within=120).faults() == []
