"""Workers and beats that are stopped, gently and not so gently."""

import os
import signal
import time

import pytest

from chaos.world import World
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("signals", "name"),
    [
        ((signal.SIGTERM,), "warm"),
        ((signal.SIGQUIT,), "cold"),
        ((signal.SIGTERM, signal.SIGTERM), "twice"),
        ((signal.SIGTERM, signal.SIGKILL), "killed by its supervisor"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_worker_is_stopped(world: World, signals: tuple[signal.Signals, ...], name: str) -> None:
    world.findings.promise = "4"
    worker = world.worker()
    world.beat()
    world.job(args=[1.5])
    wait_until(lambda: len(world.seen("end")) > 2, 30, "runs are executed")
    for number in signals:
        os.kill(worker.pid, number)
        time.sleep(0.3)  # the second follows the first
    wait_until(lambda: not worker.running, 30, "the worker has ended")
    world.worker()
    world.executes_again(40)
    assert world.finish().faults() == []


def test_workers_and_beats_are_replaced_one_by_one_under_load(world: World) -> None:
    world.findings.promise = "7"
    workers, beats = [world.worker(), world.worker()], [world.beat(), world.beat()]
    for number in range(3):
        world.job(name=f"job {number}", args=[0.3])
    wait_until(lambda: len(world.seen("end")) > 5, 30, "runs are executed")
    for old in (*workers, *beats):
        world.worker() if old in workers else world.beat()
        assert old.stop() == 0
    world.executes_again(20)
    assert world.finish().faults() == []
