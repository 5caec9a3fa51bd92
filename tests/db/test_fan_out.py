"""A tick that makes several runs: shards, and one run on each live worker."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from jobs import lease, trigger
from jobs.admit import admit
from jobs.dispatch import Message, dispatch
from jobs.finish import finish
from jobs.models import Job, Run, Worker
from jobs.policies.outcomes import Failed, Succeeded
from jobs.rescue import rescue
from jobs.states import State, Trigger
from jobs.tick import tick
from jobs.transitions import claim
from tests.connections import together
from tests.factories import NOON, claimant_of, make_job, make_worker, planned_job, reload, ticket_of

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


def worker_serving(name: str, *queues: str) -> Worker:
    """A live worker that serves these queues and, as Celery's `worker_direct` has it, one of its own."""
    worker = make_worker(NOON, name)
    Worker.objects.filter(pk=worker.pk).update(queues=list(queues), direct_queue=f"{name}.dq")
    return worker


def shards_of(job: Job, second: int = 0) -> list[Run]:
    return list(job.runs.filter(scheduled_for=NOON + second * SECOND).order_by("shard"))


def nowhere(messages: Sequence[Message]) -> None:
    """Messages that nobody takes."""


def end(run: Run, worker: Worker) -> None:
    owned = claim(ticket_of(run), run.task, claimant_of(worker), 40, now=NOON)
    assert owned is not None
    finish(owned, Succeeded(None), NOON)


def test_a_tick_makes_its_shards_with_index_and_number() -> None:
    job = planned_job(NOON, fan_out="shards", shards=3)
    assert tick(NOON).fired == 3
    runs = shards_of(job)
    assert [(run.shard, run.shards, run.state) for run in runs] == [(n, 3, State.SCHEDULED) for n in range(3)]
    assert {run.group_id for run in runs} == {runs[0].pk}


@pytest.mark.django_db(transaction=True)
def test_two_beats_make_each_shard_once() -> None:
    job = planned_job(NOON, fan_out="shards", shards=50)
    together(lambda: tick(NOON), lambda: tick(NOON))
    assert [run.shard for run in shards_of(job)] == list(range(50))


def test_the_shards_of_a_tick_are_one_in_the_line() -> None:
    job = planned_job(NOON, schedule="* * * * * *", overlap="queue_one", fan_out="shards", shards=2)
    worker = make_worker(NOON)
    for at in range(3):
        tick(NOON + at * SECOND)
    first, second, third = (shards_of(job, at) for at in range(3))
    assert [run.state for run in first] == [State.SCHEDULED] * 2
    assert [run.state for run in second] == [State.WAITING] * 2
    assert {run.reason for run in second} == {f"waits for the run {first[0].pk} to end"}
    assert {run.state for run in third} == {State.SKIPPED}
    assert {run.reason for run in third} == {f"the run {second[0].pk} was waiting already"}

    end(first[0], worker)
    assert admit(NOON + 3 * SECOND) == 0, "the second shard of the first tick has not ended"
    end(first[1], worker)
    assert admit(NOON + 3 * SECOND) == 2


def test_all_shards_of_a_tick_are_replaced() -> None:
    job = planned_job(NOON, schedule="* * * * * *", overlap="replace", fan_out="shards", shards=2)
    tick(NOON)
    tick(NOON + SECOND)
    first, second = shards_of(job), shards_of(job, 1)
    assert [run.state for run in first] == [State.CANCELLED] * 2
    assert {run.reason for run in first} == {f"replaced by the run {second[0].pk}"}


def test_a_run_by_hand_is_split_as_well_and_its_key_stands_for_all_of_it() -> None:
    job = make_job(fan_out="shards", shards=4, overlap="allow")
    run = trigger.run(job.pk, NOON, idempotency_key="once")
    assert trigger.run(job.pk, NOON, idempotency_key="once").pk == run.pk
    assert [other.shard for other in job.runs.order_by("shard")] == [0, 1, 2, 3]
    assert run.shard == 0


def test_retrying_a_shard_makes_that_shard_again() -> None:
    job = planned_job(NOON, fan_out="shards", shards=3, max_retries=0)
    worker = make_worker(NOON)
    tick(NOON)
    third = shards_of(job)[2]
    owned = claim(ticket_of(third), third.task, claimant_of(worker), 40, now=NOON)
    assert owned is not None
    finish(owned, Failed("no luck"), NOON)
    retried = trigger.retry_run(third.pk, NOON)
    assert (retried.shard, retried.shards, retried.trigger) == (2, 3, Trigger.RETRY)


def test_each_worker_that_serves_the_queue_gets_a_run_of_its_own() -> None:
    for name, queue in (("a@one", "celery"), ("b@two", "celery"), ("c@three", "other")):
        worker_serving(name, queue)
    job = planned_job(NOON, fan_out="workers", timezone="UTC")
    tick(NOON)
    runs = shards_of(job)
    assert [(run.for_worker, run.queue, run.shards) for run in runs] == [
        ("a@one", "a@one.dq", 2),
        ("b@two", "b@two.dq", 2),
    ]


def test_a_tick_for_each_worker_without_any_says_so() -> None:
    draining = worker_serving("a@one", "celery")
    lease.renew(draining.pk, 0, draining=True, now=NOON)
    make_worker(NOON, "without a queue of its own")
    job = planned_job(NOON, fan_out="workers")
    tick(NOON)
    assert [(run.state, run.reason) for run in job.runs.all()] == [
        (State.SKIPPED, "no worker that serves the queue celery was alive")
    ]


def test_the_run_of_a_worker_that_has_gone_fails_and_its_queue_is_given_up() -> None:
    gone, alive = worker_serving("a@one", "celery"), worker_serving("b@two", "celery")
    job = planned_job(NOON, fan_out="workers")
    tick(NOON)
    sent: list[Message] = []
    dispatch(NOON, sent.extend)
    assert sorted(message.queue for message in sent) == ["a@one.dq", "b@two.dq"]
    later = NOON
    while later < NOON + 31 * SECOND:
        later += 5 * SECOND
        assert lease.renew(alive.pk, 0, draining=False, now=later)
        found = rescue(later, lambda queues: dict.fromkeys(queues, 1))
    lost, kept = shards_of(job)
    assert (lost.state, lost.reason) == (State.FAILED, f"the worker {gone.name} is gone")
    assert (kept.state, set(found.abandoned)) == (State.QUEUED, {"a@one.dq"})


def test_a_run_that_its_worker_has_lost_is_tried_again_there_and_nowhere_else() -> None:
    worker_serving("a@one", "celery")
    job = planned_job(NOON, fan_out="workers")
    tick(NOON)
    run = shards_of(job)[0]
    dispatch(NOON, nowhere)
    assert claim(ticket_of(run), run.task, claimant_of(Worker.objects.get()), 40, now=NOON)
    rescue(NOON + 16 * SECOND, lambda queues: dict.fromkeys(queues, 0))
    assert reload(run).state == State.SCHEDULED
    dispatch(NOON + 16 * SECOND, nowhere)
    assert reload(run).queue == "a@one.dq"
    found = rescue(NOON + 47 * SECOND, lambda queues: dict.fromkeys(queues, 0))
    assert (reload(run).state, set(found.abandoned)) == (State.FAILED, {"a@one.dq"})
