"""Several runs for a tick: shards, and one run on each worker."""

from jobs.states import State
from tests.factories import make_job
from tests.process.system import System
from tests.waiting import wait_until


def test_a_tick_is_shared_by_shards_and_another_goes_to_each_worker(system: System) -> None:
    system.worker()
    system.worker()
    system.beat()
    shared = make_job(task="probe.shard", args=[], fan_out="shards", shards=4, schedule="*/3 * * * * *")
    each = make_job(task="probe.shard", args=[], fan_out="workers", schedule="*/3 * * * * *")
    nobody = make_job(task="probe.shard", args=[], fan_out="workers", queue="nobody", schedule="*/3 * * * * *")
    wait_until(lambda: shared.runs.filter(state=State.SUCCEEDED).count() >= 4, 30, "all shards have run")
    wait_until(lambda: each.runs.filter(state=State.SUCCEEDED).count() >= 2, 30, "both workers have run theirs")
    first = shared.runs.order_by("scheduled_for").first()
    assert first is not None
    assert [run.result[:2] for run in shared.runs.filter(group_id=first.group_id).order_by("shard")] == [
        [number, 4] for number in range(4)
    ]
    assert set(each.runs.values_list("for_worker", flat=True)) == {"w0@test", "w1@test"}
    reason = "no worker that serves the queue nobody was alive"
    wait_until(nobody.runs.filter(state=State.SKIPPED, reason=reason).exists, 20, "who has no worker says so")
