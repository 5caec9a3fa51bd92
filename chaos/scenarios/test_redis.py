"""Redis that loses everything, freezes, is full, or drops connections."""

import time

import pytest
from redis import Redis

from chaos.world import World
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.waiting import wait_until


def running(world: World) -> None:
    """A system at work, with runs behind it."""
    world.worker()
    world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")


def test_redis_is_restarted_empty(world: World, redis_server: RedisServer) -> None:
    world.findings.promise = "2"
    running(world)
    redis_server.stop()
    time.sleep(2)  # the fault itself
    redis_server.start()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_redis_is_flushed_ten_times(world: World, redis: Redis) -> None:
    world.findings.promise = "2"
    running(world)
    for _ in range(10):
        redis.flushall()
        world.goes_on()
    world.executes_again(60)
    assert world.finish().faults() == []


@pytest.mark.parametrize("seconds", [5, 30, 120])
def test_redis_is_frozen_for(world: World, redis_server: RedisServer, seconds: int) -> None:
    world.findings.promise = "2"
    running(world)
    redis_server.pause()
    try:
        recorded = world.now()
        wait_until(lambda: world.runs_since(recorded), 20, "ticks are recorded meanwhile")
        time.sleep(seconds)  # the fault itself
    finally:
        redis_server.resume()
    world.executes_again(90)
    assert world.finish().faults() == []


def test_redis_is_out_of_memory(world: World, redis: Redis) -> None:
    """A worker ends when Redis refuses to write: its supervisor starts another."""
    world.findings.promise = "2"
    world.beat()
    worker = world.worker()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    redis.config_set("maxmemory", "1mb")
    try:
        time.sleep(8)  # the fault itself
    finally:
        redis.config_set("maxmemory", "0")
    if not worker.running:
        world.findings.note = "the worker had ended and was started again"
        world.worker()
    world.executes_again(90)
    assert world.finish().faults() == []


def test_connections_to_redis_are_reset_each_second(world: World) -> None:
    world.findings.promise = "2"
    proxy = world.proxy("redis")
    world.worker(env=world.via(redis=proxy))
    world.beat(env=world.via(redis=proxy))
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    for _ in range(20):
        time.sleep(1)  # the fault itself
        proxy.reset()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_redis_answers_nobody_but_takes_all(world: World) -> None:
    """A publish whose answer is lost may have arrived: the message is sent again, and the second claim loses."""
    world.findings.promise = "2"
    proxy = world.proxy("redis")
    world.worker()
    world.beat(env=world.via(redis=proxy))
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    proxy.deaf = True
    time.sleep(8)  # the fault itself
    proxy.deaf = False
    proxy.reset()
    world.executes_again(60)
    assert world.finish().faults() == []


def test_redis_pauses_all_its_clients_and_then_drops_them_each_second(world: World, redis: Redis) -> None:
    world.findings.promise = "2"
    running(world)
    redis.client_pause(5000)
    for _ in range(10):
        time.sleep(1)  # the fault itself
        redis.client_kill_filter(_type="normal", skipme=True)
    world.executes_again(60)
    assert world.finish().faults() == []
