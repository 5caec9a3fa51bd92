"""Execute: whatever the task does to its connection, the outcome is written."""

import os
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from jobs.current import current_run
from jobs.execute import execute
from jobs.finish import Conclusion
from jobs.models import Attempt, Job, Run
from jobs.policies.outcomes import Failed, Outcome, Succeeded
from jobs.states import State
from jobs.transitions import Claim, Claimant
from tests.connections import another_connection, cut_this_connection
from tests.factories import NOON, make_job, make_worker, queued_run, reload, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)


def run_it(run: Run, body: object) -> Conclusion | None:
    worker = make_worker(NOON)
    claimant = Claimant(worker.pk, worker.name, os.getpid())
    return execute(ticket_of(run), run.task, claimant, body, NOON)  # type: ignore[arg-type]


def test_the_task_runs_as_the_current_run_with_the_arguments_of_the_row() -> None:
    seen: list[Claim] = []

    def body(claim: Claim) -> Outcome:
        assert current_run().id == claim.ticket.run_id
        seen.append(claim)
        return Succeeded("done")

    run = queued_run(args=[7])
    assert run_it(run, body) == Conclusion(State.SUCCEEDED, won=True)
    assert seen[0].args == [7]
    assert reload(run).result == "done"


def test_an_open_transaction_that_the_task_left_is_rolled_back_and_its_outcome_written() -> None:
    def body(claim: Claim) -> Outcome:
        transaction.atomic().__enter__()
        make_job(name="never committed")
        return Succeeded("done")

    run = queued_run()
    assert run_it(run, body) == Conclusion(State.SUCCEEDED, won=True)
    assert reload(run).state == State.SUCCEEDED
    assert not Job.objects.filter(name="never committed").exists()
    assert not connection.in_atomic_block


def test_autocommit_that_the_task_switched_off_is_on_again() -> None:
    def body(claim: Claim) -> Outcome:
        transaction.set_autocommit(False)
        make_job(name="never committed")
        return Succeeded("done")

    run = queued_run()
    run_it(run, body)
    assert connection.get_autocommit()
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("SELECT state FROM jobs_run WHERE id = %s", [run.pk])
        assert cursor.fetchone() == ("succeeded",)
    assert not Job.objects.filter(name="never committed").exists()


def test_a_transaction_that_the_task_broke_does_not_break_its_outcome() -> None:
    def body(claim: Claim) -> Outcome:
        transaction.atomic().__enter__()
        try:
            connection.cursor().execute("SELECT 1 / 0")
        except DatabaseError as error:
            return Failed(str(error))
        raise AssertionError

    run = queued_run(retry_policy="none")
    assert run_it(run, body) == Conclusion(State.FAILED, won=True, reason="the job's policy is not to retry")
    assert Attempt.objects.get().error.startswith("division by zero")


def test_a_connection_that_was_cut_while_the_task_ran_is_replaced() -> None:
    def body(claim: Claim) -> Outcome:
        cut_this_connection()
        return Succeeded("done")

    run = queued_run()
    assert run_it(run, body) == Conclusion(State.SUCCEEDED, won=True)
    assert reload(run).result == "done"


def test_a_stale_message_does_nothing() -> None:
    run = queued_run()
    stale = run_it(run, lambda _: Failed("once", asked_delay=0))
    assert stale is not None
    assert run_it(run, lambda _: Succeeded("from an old message")) is None
    run = reload(run)
    assert (run.state, run.attempt) == (State.SCHEDULED, 2)


def test_each_attempt_is_retried_as_the_policy_says_and_then_succeeds() -> None:
    run = queued_run(retry_policy="exponential", retry_delay=10, retry_cap=25, retry_jitter=False, max_retries=3)
    waits = []
    for _ in range(3):
        run_it(run, lambda _: Failed("ValueError: no luck"))
        run = reload(run)
        waits.append(run.due_at - NOON)
    assert waits == [timedelta(seconds=seconds) for seconds in (10, 20, 25)]
    run_it(run, lambda _: Succeeded("at last"))
    run = reload(run)
    assert (run.state, run.attempt, run.retries, run.error) == (State.SUCCEEDED, 4, 3, "")
    assert [attempt.number for attempt in run.attempts.all()] == [1, 2, 3]
