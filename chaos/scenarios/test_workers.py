"""Pool processes, workers and whole hosts that die or freeze."""

import pytest

from chaos.world import World
from jobs.models import Run
from jobs.states import State
from tests.waiting import wait_until

POINTS = ("claim.before", pytest.param("claim.after", marks=pytest.mark.fast), "finish.before", "finish.after")


@pytest.mark.parametrize("point", POINTS)
def test_a_pool_process_is_killed_at(world: World, point: str) -> None:
    world.findings.promise = "4"
    worker = world.worker(env=world.failing(f"{point}=kill@2"))
    world.beat()
    world.job()
    wait_until(lambda: world.happened(point), 30, f"a process is killed at {point}")
    if point == "claim.after":
        lost = Run.objects.filter(losses=1)
        world.recovered("the loss is noticed", lost.exists, 20, bar=5)
    assert world.finish().faults() == []
    assert worker.running


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_with_all_its_processes_is_killed_at(world: World, point: str) -> None:
    world.findings.promise = "4"
    doomed = world.worker(env=world.failing(f"{point}=killhost@2"))
    world.beat()
    world.job()
    wait_until(lambda: world.happened(point), 30, f"the worker is killed at {point}")
    doomed.kill()
    world.worker()
    if point in ("claim.after", "finish.before"):
        lost = Run.objects.filter(losses=1)
        world.recovered("the loss is noticed", lost.exists, 30, bar=17)
    assert world.finish().faults() == []


def test_a_pool_process_freezes_in_its_task(world: World) -> None:
    world.findings.promise = "4"
    world.worker(env=world.failing("claim.after=stop@2"))
    world.beat()
    world.job(timeout=1)
    wait_until(lambda: world.happened("claim.after"), 30, "a process is frozen")
    failed = Run.objects.filter(retries=1)
    world.recovered("it is killed at its hard limit", failed.exists, 40, bar=1 + 10 + 5)
    assert world.finish().faults() == []


def test_the_parent_of_a_pool_freezes(world: World) -> None:
    """Its processes end by themselves before the lease does, so nobody overlaps with the next attempt."""
    world.findings.promise = "9"
    worker = world.worker()
    world.beat()
    world.job("*/2 * * * * *", args=[30], overlap="skip", max_retries=0)
    wait_until(lambda: world.seen("start"), 30, "a run is executed")
    run = Run.objects.get(pk=world.seen("start")[0]["run"])
    world.worker()
    worker.freeze_parent()
    lost = Run.objects.filter(pk=run.pk, attempt=2, state=State.RUNNING)
    world.recovered("another worker executes it", lost.exists, 40, bar=17 + 3)
    worker.thaw()
    Run.objects.filter(state=State.RUNNING).first()
    assert world.finish().faults() == []


def test_a_whole_worker_is_frozen_past_its_lease_and_woken(world: World) -> None:
    world.findings.promise = "3"
    worker = world.worker()
    world.beat()
    world.job("*/2 * * * * *", args=[3], overlap="skip")
    wait_until(lambda: world.seen("start"), 30, "a run is executed")
    worker.freeze()
    world.worker()
    lost = Run.objects.filter(losses=1)
    world.recovered("the loss is noticed", lost.exists, 40, bar=17)
    worker.thaw()
    assert world.finish().faults() == []
