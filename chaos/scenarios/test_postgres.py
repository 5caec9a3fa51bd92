"""PostgreSQL that restarts, freezes, kills its backends, or is cut off in the worst moment."""

import random
import subprocess
import time

import psutil
import pytest
from django.db import connection

from chaos.world import World
from jobs.models import Run
from scheduler_project.embedded.postgres import Postgres
from tests.connections import another_connection
from tests.waiting import wait_until

OTHERS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), %s)
"""


def running(world: World) -> None:
    world.worker()
    world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")


def test_postgres_is_restarted_at_once(world: World, postgres_server: Postgres) -> None:
    world.findings.promise = "2"
    running(world)
    connection.close()
    postgres_server.kill()
    postgres_server.start()
    world.executes_again(60)
    assert world.finish().faults() == []


@pytest.mark.parametrize("seconds", [5, 20])
def test_postgres_is_frozen_for(world: World, postgres_server: Postgres, seconds: int) -> None:
    """Shorter, and longer, than a worker's lease."""
    world.findings.promise = "9"
    running(world)
    connection.close()
    postgres_server.pause()
    try:
        time.sleep(seconds)  # the fault itself
    finally:
        postgres_server.resume()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_five_backends_a_second_are_ended(world: World) -> None:
    world.findings.promise = "2"
    running(world)
    chance = random.Random(7)
    connection.ensure_connection()
    with another_connection() as other, other.cursor() as cursor:
        for _ in range(50):
            cursor.execute(OTHERS, [connection.connection.info.backend_pid])
            if others := sorted(pid for (pid,) in cursor.fetchall()):
                cursor.execute("SELECT pg_terminate_backend(%s)", [chance.choice(others)])
            time.sleep(0.2)  # the fault itself
    world.executes_again(60)
    assert world.finish().faults() == []


@pytest.mark.parametrize("who", ["beat", pytest.param("worker", marks=pytest.mark.fast)])
def test_the_connection_is_cut_right_after_commit_was_sent_by_the(world: World, who: str) -> None:
    """Nobody knows whether it was committed."""
    world.findings.promise = "1"
    proxy = world.proxy("postgres")
    through = world.via(postgres=proxy)
    world.worker(env=through if who == "worker" else {})
    world.beat(env=through if who == "beat" else {})
    world.job(task="chaos.flaky", args=[1, 0.05], retry_policy="fixed", retry_delay=1)
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    for _ in range(5):
        proxy.cut_when = lambda chunk: b"COMMIT" in chunk
        wait_until(lambda: proxy.cut_when is None, 30, "a COMMIT was cut off")
    world.executes_again(60)
    assert world.finish().faults() == []


def test_a_worker_is_cut_off_from_postgres_but_not_from_redis(world: World) -> None:
    world.findings.promise = "9"
    proxy = world.proxy("postgres")
    world.worker(env=world.via(postgres=proxy))
    world.beat()
    world.job("*/2 * * * * *", args=[30], overlap="skip", timeout=60)
    wait_until(lambda: world.seen("start"), 30, "a run is executed")
    first = world.seen("start")[0]["run"]
    proxy.hole = True
    world.worker()
    taken = Run.objects.filter(pk=first, attempt=2, state="running")
    world.recovered("another worker executes it", taken.exists, 60, bar=17 + 3)
    proxy.hole = False
    Run.objects.filter(pk=first).first()
    assert not [line for line in world.seen() if line["event"] == "overlap"]
    world.cancel_all()
    assert world.finish().faults() == []


def test_a_worker_is_cut_off_from_redis_but_not_from_postgres(world: World) -> None:
    world.findings.promise = "4"
    proxy = world.proxy("redis")
    world.worker(env=world.via(redis=proxy))
    world.beat()
    world.job(args=[0.2])
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    proxy.hole = True
    time.sleep(10)  # the fault itself
    proxy.hole = False
    proxy.reset()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_all_connections_are_taken(world: World) -> None:
    world.findings.promise = "2"
    running(world)
    taken = []
    try:
        for _ in range(250):
            other = connection.copy()
            try:
                other.ensure_connection()
            except Exception:  # noqa: BLE001 - there are no more, which is what is wanted
                break
            taken.append(other)
        assert len(taken) < 250
        with taken[0].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> ALL(%s)",
                [[other.connection.info.backend_pid for other in taken]],
            )
        time.sleep(5)  # the fault itself
    finally:
        for other in taken:
            other.close()
        connection.close()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_a_stopped_backend_of_the_leader(world: World) -> None:
    """The leader's own session hangs in the middle: the standby takes over when the lock has ended."""
    world.findings.promise = "5"
    world.worker()
    proxy = world.proxy("postgres")
    world.beat(env=world.via(postgres=proxy))
    world.leader()
    world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    proxy.hole = True
    hung = world.now()
    world.recovered("the standby emits", lambda: world.runs_since(hung), 20, bar=4)
    proxy.hole = False
    assert world.finish().faults() == []


def test_postgres_can_write_no_further(world: World, postgres_server: Postgres) -> None:
    """As when its disk is full: no file may grow, so commits fail, and at worst the server ends."""
    world.findings.promise = "2"
    running(world)
    connection.close()
    _may_grow(postgres_server, "0")
    time.sleep(8)  # the fault itself
    if postgres_server.running:
        _may_grow(postgres_server, "unlimited")
    else:
        world.findings.note = "the server had ended and was started again"
        postgres_server._reap()
        postgres_server.start()
    world.executes_again(90)
    assert world.finish().faults() == []


def _may_grow(server: Postgres, size: str) -> None:
    """To what size its files may grow: told by the server's own account, which alone may do that."""
    assert server.pid is not None
    parent = psutil.Process(server.pid)
    for process in (parent, *parent.children(recursive=True)):
        prefix = server._account.prefix(server.folder)
        subprocess.run([*prefix, "prlimit", f"--pid={process.pid}", f"--fsize={size}:"], check=False, cwd="/")
