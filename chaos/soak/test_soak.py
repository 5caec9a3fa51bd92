"""The soak: a random mix of faults for as long as one likes, and nothing lost, doubled, overlapped or stuck."""

import random
import sys
import time
from collections import Counter

import psutil
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from redis import Redis

from chaos import invariants
from chaos.soak.faults import FAULTS, Victims
from chaos.world import World
from jobs.models import Pool
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis as RedisServer

PAUSE = (2.0, 6.0)
"""Seconds between two faults."""
SAMPLES = 10
MOST_MEMORY = 200.0
"""Megabytes that none of our processes may have; they begin with about a hundred."""
MOST_CONNECTIONS = 40


def test_soak(
    world: World, postgres_server: Postgres, redis_server: RedisServer, redis: Redis, request: pytest.FixtureRequest
) -> None:
    minutes, seed = request.config.getoption("--minutes"), request.config.getoption("--seed")
    world.findings.promise, world.findings.note = "1", f"{minutes:g} minutes, seed {seed}"
    chance = random.Random(seed)
    victims = Victims(world, postgres_server, redis_server, redis)
    _make_jobs(world)
    victims.supervise()
    done = _under_fault(victims, chance, minutes * 60)
    victims.wake()
    victims.supervise()
    print(f"seed {seed}: {dict(done)}; {victims.restarts} programs were started again", file=sys.stderr)
    with world.timed():
        world.goes_on(120)
    assert world.finish(within=240).faults() == []


def _make_jobs(world: World) -> None:
    pool = Pool.objects.create(name="narrow", slots=2)
    world.job(name="steady")
    world.job(name="skips", overlap="skip", args=[1.5])
    world.job(name="waits", overlap="queue_all", overlap_limit=20, args=[0.3])
    world.job(name="flaky", task="chaos.flaky", args=[2, 0.1], retry_policy="fixed", retry_delay=1, max_retries=5)
    world.job(name="limited", max_running=2, args=[0.5])
    world.job(name="pooled", pool=pool, args=[0.5])


def _under_fault(victims: Victims, chance: random.Random, seconds: float) -> Counter[str]:
    done: Counter[str] = Counter()
    end, sample = time.monotonic() + seconds, 0.0
    before: dict[str, tuple[str, int]] = {}
    while time.monotonic() < end:
        victims.supervise()
        victims.world.emits_until(time.monotonic() + chance.uniform(*PAUSE))
        before = _look(before)
        if time.monotonic() >= sample:
            sample = time.monotonic() + seconds / SAMPLES
            _sample(victims)
        name = chance.choice(sorted(FAULTS))
        done[name] += 1
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr)
        FAULTS[name](victims, chance)
    return done


def _look(before: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """What must always be true is true, if the database can be asked; what had ended is as it was."""
    try:
        assert invariants.broken() == []
        now = invariants.ended()
    except (OperationalError, InterfaceError, DatabaseError):
        connection.close()
        return before
    assert {run: end for run, end in before.items() if now.get(run) != end} == {}
    return now


def _sample(victims: Victims) -> None:
    """How much memory and how many connections the system has, for the table of the soak."""
    programs = [program for program in (*victims.beats, *victims.workers) if program.running]
    memory = [psutil.Process(program.pid).memory_info().rss / 2**20 for program in programs]
    told = ", ".join(f"{program.name} {size:.0f} MB" for program, size in zip(programs, memory, strict=True))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            connections = cursor.fetchone()[0]
        told += f"; {connections} connections"
        assert connections < MOST_CONNECTIONS, told
    except (OperationalError, InterfaceError):
        connection.close()
    print(f"{time.strftime('%H:%M:%S')} {told}", file=sys.stderr)
    assert all(size < MOST_MEMORY for size in memory), told
