"""Carillon under the faults of compare_peers.py, with the same timing. Its promises are asserted besides."""

import time
from collections import Counter

from redis import Redis

from chaos.peers.faults import (
    CUT_TASK,
    FLUSHED,
    KILLED,
    QUEUED,
    RESET,
    RESETS,
    RESTARTED,
    SPARE,
    WORKER_KILLED,
    away,
    between_resets,
    first_after,
    settled,
)
from chaos.peers.row import LIMIT, Note, Row, seconds
from chaos.world import World
from jobs.models import Run
from jobs.states import State
from tests.waiting import wait_until


def row(world: World, fault: str, recovery: float, remark: str = "") -> Row:
    """End the ticks, wait for the runs, let the checker compare, and count."""
    verdict = world.finish()
    assert verdict.faults() == []
    ends = Counter(line["run"] for line in world.seen("end"))
    doubled = len(verdict.doubled) + sum(count - 1 for count in ends.values())
    return Row(fault, "Carillon", len(verdict.lost), doubled, len(verdict.overlapped), seconds(recovery), remark)


def at_work(world: World, task_seconds: float = 0.05) -> None:
    """Runs have been executed."""
    world.job(args=[task_seconds])
    wait_until(lambda: len(world.seen("end")) > 2, 40, "runs are executed")


def executing(world: World) -> set[str]:
    """The runs whose execution has started and not ended."""
    return runs(world, "start") - runs(world, "end")


def runs(world: World, event: str) -> set[str]:
    return {line["run"] for line in world.seen(event)}


def test_the_leading_beat_is_killed_with_another_beside_it(carillon: World, note: Note) -> None:
    carillon.worker()
    carillon.beat()
    leader = carillon.leader()
    at_work(carillon)
    carillon.beat()
    settled()
    killed, moment = time.monotonic(), carillon.now()
    leader.kill()
    wait_until(lambda: carillon.runs_since(moment), LIMIT, "the standby emits")
    recovery = time.monotonic() - killed
    settled()
    note(row(carillon, KILLED, recovery))


def test_the_only_beat_is_killed_and_started_again(carillon: World, note: Note) -> None:
    carillon.worker()
    beat = carillon.beat()
    at_work(carillon)
    killed, moment = time.monotonic(), carillon.now()
    beat.kill()
    away()
    carillon.beat()
    wait_until(lambda: carillon.runs_since(moment), LIMIT, "the new beat emits")
    recovery = time.monotonic() - killed
    settled()
    note(
        row(
            carillon,
            RESTARTED,
            recovery,
            "the ticks of the gap are run late, or skipped, as the job says",
        )
    )


def test_the_worker_is_killed_while_it_executes(carillon: World, note: Note) -> None:
    carillon.beat()
    worker = carillon.worker()
    at_work(carillon, CUT_TASK)
    wait_until(lambda: executing(carillon), 20, "a run is executed")
    cut = executing(carillon)
    killed = time.monotonic()
    worker.kill()
    carillon.worker()
    wait_until(lambda: cut <= runs(carillon, "end"), LIMIT, "what was cut is executed")
    note(row(carillon, WORKER_KILLED, time.monotonic() - killed))


def test_redis_is_flushed_with_messages_queued(carillon: World, note: Note, redis: Redis) -> None:
    carillon.beat()
    carillon.job()
    wait_until(lambda: Run.objects.filter(state=State.QUEUED).count() >= QUEUED, 40, "messages are queued")
    queued = {str(run_id) for run_id in Run.objects.filter(state=State.QUEUED).values_list("pk", flat=True)}
    redis.flushall()
    flushed = time.monotonic()
    settled()
    carillon.worker()
    wait_until(lambda: queued <= runs(carillon, "end"), LIMIT, "the runs that were queued are executed")
    note(row(carillon, FLUSHED, time.monotonic() - flushed))


def test_connections_to_redis_are_reset(carillon: World, note: Note) -> None:
    proxy = carillon.proxy("redis")
    carillon.beat()
    carillon.worker("-c", str(SPARE), env=carillon.via(redis=proxy))
    at_work(carillon, CUT_TASK)
    for _ in range(RESETS):
        wait_until(lambda: executing(carillon), 20, "a run is executed")
        reset = time.monotonic()
        proxy.reset()
        between_resets()
    started = wait_until(lambda: first_after(reset, carillon.seen("start")), 40, "runs are executed again")
    note(row(carillon, RESET, started - reset))
