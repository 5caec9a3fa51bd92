"""Beats that die, freeze or lose each other."""

import signal
import time

import pytest

from chaos.world import World
from tests.waiting import wait_until

POINTS = (
    "tick.before_commit",
    "tick.after_commit",
    "dispatch.before_publish",
    pytest.param("dispatch.after_publish", marks=pytest.mark.fast),
    "dispatch.after_mark",
)
LOCK_TTL = 2.0


@pytest.mark.parametrize("point", POINTS)
def test_the_leader_is_killed_with_a_standby_at(world: World, point: str) -> None:
    world.findings.promise = "5"
    world.worker()
    world.beat(env=world.failing(f"{point}=kill@3"))
    world.leader()
    world.beat(env=world.failing(f"{point}=kill@1000000"))
    world.job()
    wait_until(lambda: world.happened(point), 30, f"the leader is killed at {point}")
    killed = world.now()
    world.recovered("the standby emits", lambda: world.runs_since(killed), 10, bar=3)
    assert world.finish().faults() == []


@pytest.mark.parametrize("point", POINTS)
def test_the_only_beat_is_killed_and_started_again_at(world: World, point: str) -> None:
    world.findings.promise = "1"
    world.worker()
    beat = world.beat(env=world.failing(f"{point}=kill@3"))
    world.job()
    wait_until(lambda: not beat.running, 30, f"the beat is killed at {point}")
    time.sleep(3)  # ticks that nobody is there for
    world.beat()
    back = world.now()
    world.recovered("the new beat emits", lambda: world.runs_since(back), 20)
    assert world.finish().faults() == []


def test_the_leader_is_frozen_for_three_lock_times_and_woken(world: World) -> None:
    world.findings.promise = "1"
    world.worker()
    world.beat()
    leader = world.leader()
    standby = world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    leader.freeze()
    frozen = world.now()
    world.recovered("the standby emits", lambda: world.runs_since(frozen), 10, bar=3)
    time.sleep(3 * LOCK_TTL)  # the fault itself
    leader.thaw()
    wait_until(lambda: "lock was lost" in leader.text(), 10, "the woken leader steps down")
    assert world.finish().faults() == []
    assert standby.running
    assert leader.running


def test_leaders_are_killed_every_3_seconds_for_a_minute(world: World) -> None:
    world.findings.promise = "1"
    world.worker()
    world.job()
    beats = [world.beat(), world.beat()]
    for _ in range(20):
        until = time.monotonic() + 3
        leader = world.leader()
        leader.signal(signal.SIGKILL)
        leader.wait()
        beats = [beat for beat in beats if beat.running] + [world.beat()]
        world.emits_until(until)
    last = world.now()
    world.recovered("ticks are emitted", lambda: world.runs_since(last), 10, bar=3)
    assert world.finish().faults() == []


def test_a_leader_is_stopped_in_mid_tick(world: World) -> None:
    world.findings.promise = "5"
    world.worker()
    leader = world.beat(env=world.failing("tick.before_commit=sleep(0.3)"))
    world.leader()
    world.beat()
    world.job()
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    leader.signal(signal.SIGTERM)
    asked = world.now()
    world.recovered("the standby emits", lambda: world.runs_since(asked), 10, bar=3)
    assert leader.wait() == 0
    assert world.finish().faults() == []


def test_two_beats_and_no_lock_at_all(world: World) -> None:
    """Each beat believes that it leads: their Redis for the lock is not the same."""
    world.findings.promise = "1"
    world.worker()
    for number in range(2):
        world.beat(env={"TEST_CARILLON": world.carillon(lock_key=f"carillon:leader {number}")})
    for number in range(5):
        world.job(name=f"job {number}", overlap="skip" if number % 2 else "allow")
    wait_until(lambda: len(world.seen("end")) > 30, 60, "runs are executed")
    assert world.finish().faults() == []
