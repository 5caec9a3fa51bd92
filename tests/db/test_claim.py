"""The claim: one attempt of one run, for a living worker, for the task that was asked for."""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from jobs import transitions
from jobs.execute import execute
from jobs.finish import finish
from jobs.models import Attempt, Run, Worker
from jobs.policies.outcomes import Failed, Outcome, Succeeded
from jobs.rescue import bury_workers
from jobs.states import State
from jobs.transitions import Claim, Claimant, Ticket
from tests.connections import on_own_connection, threads, together, wait_until_blocked
from tests.factories import (
    NOON,
    claimant_of,
    make_worker,
    queued_run,
    reload,
    running_run,
    scheduled_run,
    ticket_of,
)


def claim(run: Run, worker: Worker, **changes: Any) -> Claim | None:
    arguments: dict[str, Any] = {
        "ticket": ticket_of(run),
        "task": run.task,
        "claimant": claimant_of(worker),
        "beyond": 40.0,
        "now": NOON,
    }
    return transitions.claim(**(arguments | changes))


@pytest.mark.django_db
@pytest.mark.parametrize("make", [scheduled_run, queued_run])
def test_a_run_is_claimed_whether_or_not_the_beat_has_marked_it_queued_yet(make: Any) -> None:
    run = make()
    assert claim(run, make_worker()) is not None
    run = reload(run)
    assert run.state == State.RUNNING
    assert run.queued_at == NOON


@pytest.mark.django_db
def test_a_duplicate_message_loses() -> None:
    run = queued_run()
    assert claim(run, make_worker()) is not None
    before = Run.objects.values().get()
    assert claim(run, make_worker(name="other@test")) is None
    assert Run.objects.values().get() == before


@pytest.mark.django_db
def test_a_worker_whose_lease_has_ended_claims_nothing() -> None:
    run, worker = queued_run(), make_worker()
    assert claim(run, worker, now=worker.lease_until) is None
    assert claim(run, worker, now=worker.lease_until - timedelta(microseconds=1)) is not None


@pytest.mark.django_db
def test_a_worker_that_was_declared_dead_claims_nothing() -> None:
    worker = make_worker()
    bury_workers(worker.lease_until + timedelta(seconds=1))
    assert claim(queued_run(), worker) is None


@pytest.mark.django_db
def test_a_run_past_its_start_deadline_is_not_claimed() -> None:
    run, late_worker = queued_run(expires=60), make_worker(NOON + timedelta(seconds=50))
    after = NOON + timedelta(seconds=60, microseconds=1)
    assert claim(run, late_worker, now=after) is None
    assert claim(run, late_worker, now=NOON + timedelta(seconds=60)) is not None


@pytest.mark.django_db
def test_a_forged_message_cannot_give_a_run_s_arguments_to_another_task() -> None:
    assert claim(queued_run(task="probe.add"), make_worker(), task="probe.result") is None


@pytest.mark.django_db
def test_a_message_for_a_run_that_does_not_exist_loses() -> None:
    assert claim(queued_run(), make_worker(), ticket=Ticket(uuid4(), 1)) is None


@pytest.mark.django_db
def test_a_claim_whose_answer_was_lost_finds_its_own_effect() -> None:
    run, worker = queued_run(), make_worker()
    first = claim(run, worker)
    assert claim(run, worker, again=True) == first
    assert claim(run, worker, again=False) is None


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["another worker", "another process"])
def test_a_claim_that_is_repeated_does_not_find_another_s_effect(other: str) -> None:
    run, worker = queued_run(), make_worker()
    assert claim(run, worker) is not None
    claimant = claimant_of(make_worker(name="other@test") if other == "another worker" else worker, pid=1)
    assert claim(run, worker, claimant=claimant, again=True) is None


@pytest.mark.django_db
def test_the_arguments_come_from_the_row_as_they_were_written() -> None:
    kwargs = {"é": [1.5, None, True], "big": 2**70, "nested": {"a": {"b": []}}}
    run = queued_run(args=["text", {"k": 1}], kwargs=kwargs)
    claimed = claim(run, make_worker())
    assert claimed is not None
    assert (claimed.args, claimed.kwargs) == (["text", {"k": 1}], kwargs)


@pytest.mark.django_db(transaction=True)
def test_of_two_claims_at_once_the_second_waits_for_the_first_and_loses() -> None:
    run, winner, loser = queued_run(), make_worker(), make_worker(name="loser@test")
    with threads(1) as pool:
        with transaction.atomic():
            assert claim(run, winner) is not None
            racing = pool.submit(on_own_connection, lambda: claim(run, loser))
            wait_until_blocked("UPDATE jobs_run")
            assert not racing.done()
        assert racing.result(10) is None
    assert reload(run).worker_id == winner.pk


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_waited_for_one_that_was_rolled_back_wins() -> None:
    run, first, second = queued_run(), make_worker(), make_worker(name="second@test")
    with threads(1) as pool:
        with transaction.atomic():
            assert claim(run, first) is not None
            racing = pool.submit(on_own_connection, lambda: claim(run, second))
            wait_until_blocked("UPDATE jobs_run")
            transaction.set_rollback(True)
        assert racing.result(10) is not None
    assert reload(run).worker_id == second.pk


@pytest.mark.django_db(transaction=True)
def test_of_eight_claims_at_the_same_moment_exactly_one_wins() -> None:
    workers = [make_worker(name=f"w{number}@test") for number in range(8)]
    for run in [queued_run() for _ in range(5)]:
        claims = together(*[lambda worker=worker, run=run: claim(run, worker) for worker in workers])
        won = [found for found in claims if found is not None]
        assert len(won) == 1
        assert reload(run).worker_id == won[0].claimant.worker_id


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [Succeeded("from the grave"), Failed("ValueError: from the grave")])
@pytest.mark.parametrize("successor", ["waiting", "running", "succeeded"])
def test_a_zombie_that_wakes_up_after_rescue_changes_nothing(outcome: Outcome, successor: str) -> None:
    run, zombie = running_run()
    later = NOON + timedelta(minutes=1)
    assert bury_workers(later) == (1, 1)
    if successor != "waiting":
        next_claim = claim(reload(run), make_worker(later, "next@test"), now=later)
        assert next_claim is not None
        if successor == "succeeded":
            assert finish(next_claim, Succeeded("mine"), later).won
    before = (Run.objects.values().get(), list(Attempt.objects.values()))

    assert finish(zombie, outcome, later).won is False

    assert (Run.objects.values().get(), list(Attempt.objects.values())) == before


@pytest.mark.django_db(transaction=True)
def test_a_message_that_lost_its_claim_does_not_execute() -> None:
    run = queued_run()
    assert claim(run, make_worker()) is not None
    executed: list[Claim] = []
    claimant = Claimant(make_worker(name="late@test").pk, "late@test", os.getpid())
    assert execute(ticket_of(run), run.task, claimant, lambda c: executed.append(c) or Succeeded(), NOON) is None  # type: ignore[func-returns-value]
    assert executed == []
