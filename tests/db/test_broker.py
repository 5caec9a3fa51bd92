"""The broker on a real Redis: what a message holds, how many wait, and how quickly it says that it is away."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from redis import Redis

from jobs.broker import ATTEMPT, Broker
from jobs.dispatch import Message, dispatch
from jobs.exceptions import BrokerUnavailable
from jobs.models import Run
from jobs.states import State
from jobs.transitions import Ticket
from scheduler_project.celery import app
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.factories import NOON, make_job, reload, scheduled_run
from tests.waiting import wait_until


@pytest.fixture
def broker(redis: Redis) -> Iterator[Broker]:
    """The project's broker, empty."""
    broker = Broker(app)
    yield broker
    broker.close()


def message(queue: str = "celery", priority: int = 5, attempt: int = 1) -> Message:
    return Message(Ticket(uuid4(), attempt), "probe.add", queue, priority, soft_limit=60, hard_limit=70.0)


def waiting(redis: Redis) -> list[tuple[str, dict[str, Any]]]:
    """All messages, each with the Redis list that it is in, the next one first."""
    lists = sorted(key for key in redis.scan_iter() if redis.type(key) == b"list")
    return [(key.decode(), json.loads(raw)) for key in lists for raw in reversed(redis.lrange(key, 0, -1))]


def test_a_message_says_which_attempt_of_which_run_and_for_how_long(broker: Broker, redis: Redis) -> None:
    sent = message(attempt=3)
    broker.publish([sent])
    ((key, raw),) = waiting(redis)
    headers = raw["headers"]
    assert (headers["id"], headers["task"], headers[ATTEMPT]) == (str(sent.ticket.run_id), "probe.add", 3)
    assert headers["timelimit"] == [70.0, 60]
    assert headers["retries"] == 2
    assert headers["ignore_result"] is True
    assert (headers["eta"], headers["expires"]) == (None, None)
    assert raw["properties"]["correlation_id"] == str(sent.ticket.run_id)
    assert raw["content-type"] == "application/json"
    assert key == "celery\x06\x163"


@pytest.mark.parametrize(
    ("priority", "key"),
    [(0, "slow"), (2, "slow"), (3, "slow\x06\x163"), (5, "slow\x06\x163"), (6, "slow\x06\x166"), (9, "slow\x06\x169")],
)
def test_a_message_goes_to_its_queue_s_list_for_its_priority(
    broker: Broker, redis: Redis, priority: int, key: str
) -> None:
    broker.publish([message("slow", priority)])
    assert [where for where, _ in waiting(redis)] == [key]


def test_a_batch_arrives_whole_each_run_once_and_in_order(broker: Broker, redis: Redis) -> None:
    sent = [message() for _ in range(500)]
    broker.publish(sent)
    assert [raw["headers"]["id"] for _, raw in waiting(redis)] == [str(one.ticket.run_id) for one in sent]


def test_a_batch_costs_few_round_trips(broker: Broker, redis: Redis) -> None:
    broker.publish([message()])

    before = redis.info("stats")["total_reads_processed"]
    broker.publish([message() for _ in range(200)])
    assert redis.info("stats")["total_reads_processed"] - before < 60


def test_nothing_to_send_is_no_error(broker: Broker, redis: Redis) -> None:
    broker.publish([])
    assert waiting(redis) == []


@pytest.mark.django_db(transaction=True)
def test_no_argument_of_a_job_is_anywhere_in_redis(broker: Broker, redis: Redis) -> None:
    scheduled_run(job=make_job(args=["s3cret-argument"], kwargs={"password": "hunter2-value"}))
    dispatch(NOON, broker.publish)
    assert len(waiting(redis)) == 1
    everything = b"\n".join(redis.dump(key) + key for key in redis.scan_iter())
    texts = json.dumps(waiting(redis)).encode() + everything
    assert b"s3cret" not in texts
    assert b"hunter2" not in texts
    (_, raw) = waiting(redis)[0]
    assert (raw["headers"]["argsrepr"], raw["headers"]["kwargsrepr"]) == ("()", "{}")


@pytest.mark.parametrize("queue", ["a queue with spaces", "é☂", "a*b[c]?", "x" * 100, "a:b/c", "{tag}"])
def test_a_queue_may_be_called_anything(broker: Broker, redis: Redis, queue: str) -> None:
    broker.publish([message(queue), message()])
    assert broker.depths([queue, "celery"]) == {queue: 1, "celery": 1}


def test_depths_count_the_messages_of_all_priorities(broker: Broker) -> None:
    broker.publish([message("slow", priority) for priority in range(10)])
    broker.publish([message("fast")])
    assert broker.depths(["slow", "fast", "unheard-of"]) == {"slow": 10, "fast": 1, "unheard-of": 0}


def test_a_queue_that_was_drained_is_empty(broker: Broker, redis: Redis) -> None:
    broker.publish([message()])
    redis.delete("celery\x06\x163")
    assert broker.depths(["celery"]) == {"celery": 0}


def test_depths_goes_on_after_a_queue_that_nobody_has_declared(broker: Broker) -> None:
    assert broker.depths(["unheard-of"]) == {"unheard-of": 0}
    broker.publish([message()])
    assert broker.depths(["unheard-of", "celery"]) == {"unheard-of": 0, "celery": 1}


def test_a_refused_connection_is_told_quickly() -> None:
    nowhere = Celery("nowhere", set_as_current=False, broker="redis://127.0.0.1:1/0")
    broker = Broker(nowhere)
    for ask in (lambda: broker.publish([message()]), lambda: broker.depths(["celery"])):
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            ask()
        assert time.monotonic() - began < 2


def test_a_wrong_password_is_told_as_the_broker_being_away() -> None:
    url = os.environ["REDIS_URL"]
    broker = Broker(
        Celery("stranger", set_as_current=False, broker=url.replace(url.split(":")[2].split("@")[0], "wrong"))
    )
    with pytest.raises(BrokerUnavailable):
        broker.publish([message()])


def test_a_redis_that_is_full_is_told_as_the_broker_being_away(broker: Broker, redis: Redis) -> None:
    broker.publish([message()])
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(BrokerUnavailable):
            broker.publish([message(), message()])
    finally:
        redis.config_set("maxmemory", "0")
    broker.publish([message()])
    assert broker.depths(["celery"]) == {"celery": 2}


def test_a_restarted_redis_is_found_again(broker: Broker, redis_server: RedisServer) -> None:
    broker.publish([message()])
    redis_server.kill()
    try:
        with pytest.raises(BrokerUnavailable):
            broker.publish([message()])
        with pytest.raises(BrokerUnavailable):
            broker.depths(["celery"])
    finally:
        redis_server.start()
    broker.publish([message()])
    assert broker.depths(["celery"]) == {"celery": 1}


@pytest.mark.django_db(transaction=True)
def test_a_frozen_redis_is_told_within_five_seconds_and_may_have_taken_the_message(
    broker: Broker, redis: Redis, redis_server: RedisServer
) -> None:
    run = scheduled_run()
    broker.publish([message()])  # so that the connection and the queue are known already
    redis.delete("celery\x06\x163")
    redis_server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            dispatch(NOON, broker.publish)
        assert time.monotonic() - began < 5
    finally:
        redis_server.resume()
    assert reload(run).state == State.SCHEDULED
    wait_until(lambda: ids(redis) == [str(run.pk)], 5, "the message has been delivered all the same")

    assert dispatch(NOON, broker.publish).sent == 1
    assert ids(redis) == [str(run.pk)] * 2
    assert Run.objects.get().state == State.QUEUED


def ids(redis: Redis) -> list[str]:
    return [raw["headers"]["id"] for key, raw in waiting(redis) if key.startswith("celery")]


def test_a_closed_broker_can_be_used_again(broker: Broker) -> None:
    broker.publish([message()])
    broker.close()
    broker.close()
    assert broker.depths(["celery"]) == {"celery": 1}
