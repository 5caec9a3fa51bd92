"""The leader's lock on a real Redis: taken, renewed, lost, handed over; and Redis away."""

import logging
import os
import threading
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis import Redis

from jobs.conf import conf
from jobs.leader import Leadership, Role
from scheduler_project.embedded.redis import Redis as RedisServer
from tests.waiting import wait_until

URL = os.environ["REDIS_URL"]
KEY = "carillon:leader"


@pytest.fixture(autouse=True)
def quick(settings: Settings, redis: Redis) -> None:
    """Locks that end soon, so that nobody waits long for it."""
    settings.CARILLON = {"LOCK_TTL": 0.6, "LOCK_MARGIN": 0.3, "POLL": 0.1}


@pytest.fixture
def beats() -> Iterator[tuple[Leadership, Leadership]]:
    """Two beats, the first of which leads."""
    first, second = Leadership(URL), Leadership(URL)
    assert first.role() is Role.LEADER
    yield first, second
    first.release()
    second.release()


def test_of_two_beats_one_leads_and_keeps_leading_while_it_renews(beats: tuple[Leadership, Leadership]) -> None:
    first, second = beats
    end = time.monotonic() + 2 * conf().lock_ttl
    while time.monotonic() < end:
        assert (first.role(), second.role()) == (Role.LEADER, Role.STANDBY)
        assert (first.trusted(), second.trusted()) == (True, False)


def test_nothing_is_asked_of_redis_before_the_first_role(redis: Redis) -> None:
    leadership = Leadership("redis://127.0.0.1:1/0")
    assert not leadership.trusted()
    leadership.release()


def test_a_leader_that_dies_is_replaced_when_its_lock_ends(beats: tuple[Leadership, Leadership]) -> None:
    first, second = beats
    died_at = time.monotonic()
    wait_until(lambda: second.role() is Role.LEADER, 5, "the standby leads")
    assert time.monotonic() - died_at < conf().lock_ttl + 1
    assert not first.trusted()
    assert first.role() is Role.STANDBY


def test_a_leader_that_stops_politely_is_replaced_at_once(beats: tuple[Leadership, Leadership]) -> None:
    first, second = beats
    assert second.role() is Role.STANDBY
    first.release()
    assert not first.trusted()
    assert second.role() is Role.LEADER


def test_trust_ends_before_the_lock_does(redis: Redis, settings: Settings) -> None:
    settings.CARILLON = {"LOCK_TTL": 2.0, "LOCK_MARGIN": 1.0}
    beat = Leadership(URL)
    assert beat.role() is Role.LEADER
    wait_until(lambda: not beat.trusted(), 5, "trust has ended")
    left = redis.pttl(KEY)
    beat.release()
    assert left > 500, "about the margin, in milliseconds"


def test_trust_is_counted_from_before_redis_was_asked(
    beats: tuple[Leadership, Leadership], redis_server: RedisServer
) -> None:
    first, _ = beats
    late = conf().lock_ttl - conf().lock_margin + 0.1
    redis_server.pause()
    waker = threading.Timer(late, redis_server.resume)
    waker.start()
    try:
        first.role()  # answered, but only when the time for which it could be trusted was over
        assert not first.trusted()
    finally:
        waker.join()


def test_a_frozen_redis_is_found_to_be_away_within_two_seconds(
    beats: tuple[Leadership, Leadership], redis_server: RedisServer
) -> None:
    first, _ = beats
    redis_server.pause()
    try:
        asked_at = time.monotonic()
        assert first.role() is Role.ALONE
        assert time.monotonic() - asked_at < 2
    finally:
        redis_server.resume()


def test_a_lock_that_was_lost_is_taken_again_if_it_is_free(
    beats: tuple[Leadership, Leadership], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = beats
    redis.delete(KEY)
    with caplog.at_level(logging.WARNING):
        assert first.role() is Role.LEADER
    assert [record.message for record in caplog.records] == ["the leader's lock was lost"]
    assert second.role() is Role.STANDBY


def test_a_leader_whose_lock_another_has_taken_stands_by(beats: tuple[Leadership, Leadership], redis: Redis) -> None:
    first, second = beats
    redis.delete(KEY)
    assert second.role() is Role.LEADER
    assert first.role() is Role.STANDBY
    assert not first.trusted()
    assert redis.get(KEY) is not None


def test_a_lock_whose_taking_was_not_answered_is_found_to_be_ours_and_renewed(redis: Redis) -> None:
    leadership = Leadership(URL)
    redis.set(KEY, leadership._token, px=200)
    assert leadership.role() is Role.LEADER
    assert redis.pttl(KEY) > 300, "the trust would outlast the lock"
    assert leadership.role() is Role.LEADER
    leadership.release()
    assert redis.get(KEY) is None


def test_no_key_is_left_without_an_end(beats: tuple[Leadership, Leadership], redis: Redis) -> None:
    first, second = beats
    for leadership in (first, second, first):
        leadership.role()
        assert [redis.pttl(key) > 0 for key in redis.scan_iter()] == [True]
    first.release()
    second.release()
    assert list(redis.scan_iter()) == []


def test_a_release_does_not_take_the_lock_from_its_new_owner(
    beats: tuple[Leadership, Leadership], redis: Redis
) -> None:
    first, second = beats
    redis.delete(KEY)
    assert second.role() is Role.LEADER
    first.release()
    assert second.role() is Role.LEADER
    assert redis.exists(KEY)


def test_while_redis_is_away_every_beat_works_alone_and_afterwards_one_leads(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Leadership(URL), Leadership(URL)
    assert (first.role(), second.role()) == (Role.LEADER, Role.STANDBY)
    redis_server.kill()
    try:
        with caplog.at_level(logging.WARNING, "jobs.leader"):
            for _ in range(3):
                assert (first.role(), second.role()) == (Role.ALONE, Role.ALONE)
                assert (first.trusted(), second.trusted()) == (True, True)
            first.release()
    finally:
        redis_server.start()
    with caplog.at_level(logging.WARNING, "jobs.leader"):
        roles = wait_until(lambda: settled(first, second), 10, "one of them leads")
    assert roles == {Role.LEADER, Role.STANDBY}
    told = [record.message.split(":")[0].split(";")[0] for record in caplog.records]
    assert told == ["Redis is away", "Redis is away", "Redis is back", "Redis is back"]
    first.release()
    second.release()


def settled(first: Leadership, second: Leadership) -> set[Role]:
    roles = {first.role(), second.role()}
    return roles if Role.ALONE not in roles else set()
