"""Messages that come twice, late, in another order, of old attempts, or not at all."""

import pytest

from chaos.world import World
from tests.waiting import wait_until


@pytest.mark.parametrize("how", [pytest.param("double", marks=pytest.mark.fast), "shuffle", "drop", "stale"])
def test_messages_are_mangled(world: World, how: str) -> None:
    """`double`: one to five times each. `shuffle`: any order. `drop`: 30 % are lost. `stale`: old ones come again."""
    world.findings.promise = "3"
    world.worker()
    # A lost message is looked for sooner than it is by default, so that the tenth loss of a run is soon over as well.
    world.beat(env={"CHAOS_MANGLE": how, "TEST_CARILLON": world.carillon(message_timeout=4)})
    world.job()
    world.job(name="flaky", task="chaos.flaky", args=[2, 0.05], retry_policy="immediate")
    wait_until(lambda: len(world.seen("end")) > 25, 120, "runs are executed")
    assert world.finish(within=150).faults() == []
