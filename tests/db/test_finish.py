"""Finish: the outcome is written once, with its cost, by the attempt that owns the run."""

import os
import random
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from jobs.execute import execute
from jobs.finish import Conclusion, finish
from jobs.models import Attempt, Run, Worker
from jobs.policies.outcomes import Failed, Succeeded
from jobs.states import State
from jobs.transitions import Claim, Claimant
from tests.factories import NOON, make_worker, queued_run, reload, running_run, ticket_of

IN_ONE = NOON + timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
def test_a_success_costs_two_single_row_updates_and_nothing_else() -> None:
    run, worker = queued_run(), make_worker()
    claimant = Claimant(worker.pk, worker.name, os.getpid())
    with CaptureQueriesContext(connection) as captured:
        conclusion = execute(ticket_of(run), run.task, claimant, lambda _: Succeeded(3), NOON)
    statements = [query["sql"].split()[0] + " " + query["sql"].split()[1] for query in captured]
    assert statements == ["UPDATE jobs_run", 'UPDATE "jobs_run"']
    assert conclusion == Conclusion(State.SUCCEEDED, won=True)
    assert (reload(run).state, reload(run).result) == (State.SUCCEEDED, 3)
    assert not Attempt.objects.exists()


@pytest.mark.django_db
def test_a_success_clears_what_an_earlier_failure_left() -> None:
    run, claim = running_run()
    Run.objects.filter(pk=run.pk).update(error="ValueError", traceback="Traceback", reason="retry 1 after 2.0 s")
    assert finish(claim, Succeeded(None), IN_ONE).won
    run = reload(run)
    assert (run.error, run.traceback, run.reason, run.result) == ("", "", "", None)
    assert (run.finished_at, run.deadline_at) == (IN_ONE, None)


@pytest.mark.django_db
def test_a_result_that_is_no_json_is_noted_as_the_reason() -> None:
    run, claim = running_run()
    finish(claim, Succeeded({1}, reason="the task raised Ignore"), IN_ONE)
    assert reload(run).result == "{1}"
    assert reload(run).reason == "the task raised Ignore; the result is not JSON; its text is kept"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "result", ["\ud800", {"\ud83d": "\x00"}, "\x00", int("9" * 4_000), [1e308 * 10], "\\u0000", "x" * 10**6]
)
def test_no_result_is_too_odd_for_the_row(result: object) -> None:
    run, claim = running_run()
    assert finish(claim, Succeeded(result), IN_ONE).won
    assert reload(run).result is not None


@pytest.mark.django_db
def test_a_failure_that_is_retried_leaves_a_row_for_the_attempt() -> None:
    run, claim = running_run(retry_policy="fixed", retry_delay=30, retry_jitter=False)
    conclusion = finish(claim, Failed("ValueError: no luck", "Traceback …"), IN_ONE)
    assert conclusion == Conclusion(State.SCHEDULED, won=True, delay=30)
    run = reload(run)
    assert (run.state, run.attempt, run.retries) == (State.SCHEDULED, 2, 1)
    assert (run.due_at, run.reason) == (IN_ONE + timedelta(seconds=30), "retry 1 after 30.0 s")
    assert run.error == "ValueError: no luck"
    attempt = Attempt.objects.get()
    assert (attempt.run_id, attempt.number, attempt.outcome) == (run.pk, 1, "failed")
    assert (attempt.error, attempt.traceback) == ("ValueError: no luck", "Traceback …")
    assert (attempt.worker_name, attempt.pid) == (claim.claimant.worker_name, claim.claimant.pid)
    assert (attempt.started_at, attempt.finished_at) == (NOON, IN_ONE)


@pytest.mark.django_db
def test_the_last_failure_ends_the_run_with_the_reason() -> None:
    run, claim = running_run(retry_policy="none")
    assert finish(claim, Failed("ValueError"), IN_ONE).reason == "the job's policy is not to retry"
    run = reload(run)
    assert (run.state, run.reason, run.finished_at) == (State.FAILED, "the job's policy is not to retry", IN_ONE)
    assert Attempt.objects.get().number == 1


@pytest.mark.django_db
def test_a_timeout_is_recorded_as_one() -> None:
    _, claim = running_run()
    finish(claim, Failed("the timeout was exceeded", timed_out=True), IN_ONE)
    assert Attempt.objects.get().outcome == "timed_out"


@pytest.mark.django_db
def test_the_next_attempt_gets_the_arguments_that_the_task_asked_for() -> None:
    run, claim = running_run(args=[1, 2], kwargs={})
    finish(claim, Failed("again", asked_delay=0, new_args=[3], new_kwargs={"b": 4}), IN_ONE)
    assert (reload(run).args, reload(run).kwargs) == ([3], {"b": 4})


@pytest.mark.django_db
@pytest.mark.parametrize("asked_delay", [float("inf"), 1e15, float("nan"), -5.0])
def test_no_delay_that_a_task_asks_for_makes_a_date_that_cannot_be_read(asked_delay: float) -> None:
    run, claim = running_run()
    assert finish(claim, Failed("again", asked_delay=asked_delay), IN_ONE).won
    assert IN_ONE <= reload(run).due_at <= IN_ONE + timedelta(days=366)


@pytest.mark.django_db
def test_an_error_text_that_postgresql_cannot_hold_does_not_keep_the_outcome_out() -> None:
    run, claim = running_run(retry_policy="none")
    assert finish(claim, Failed("nul \x00 and \ud800", "trace \x00"), IN_ONE).won
    assert reload(run).error == "nul \N{SYMBOL FOR NULL} and ?"


@pytest.mark.django_db
def test_an_outcome_is_written_once() -> None:
    run, claim = running_run()
    assert finish(claim, Succeeded(1), IN_ONE).won
    assert not finish(claim, Succeeded(2), IN_ONE).won
    assert not finish(claim, Failed("late"), IN_ONE).won
    assert reload(run).result == 1
    assert not Attempt.objects.exists()


@pytest.mark.django_db
def test_a_cancelled_run_stays_cancelled_whatever_its_task_does() -> None:
    run, claim = running_run()
    Run.objects.filter(pk=run.pk).update(state="cancelled", finished_at=NOON, deadline_at=None)
    assert not finish(claim, Succeeded(1), IN_ONE).won
    assert reload(run).state == State.CANCELLED


def cut_after(claim: Claim, worker: Worker, outcome: Succeeded | Failed) -> Conclusion:
    """Finish while the connection is cut between the commit and its answer."""
    broken: list[bool] = []

    def cut_once(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        answer = execute(sql, params, many, context)
        last = 'INSERT INTO "jobs_attempt"' if isinstance(outcome, Failed) else 'UPDATE "jobs_run"'
        if not broken and sql.startswith(last):
            broken.append(True)
            if connection.in_atomic_block:
                connection.connection.commit()
            connection.connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return answer

    with connection.execute_wrapper(cut_once):
        conclusion = finish(claim, outcome, IN_ONE)
    assert broken
    return conclusion


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outcome", [Succeeded(1), Failed("ValueError")])
def test_an_outcome_whose_commit_was_not_heard_of_is_recognised_as_written(outcome: Succeeded | Failed) -> None:
    worker = make_worker()
    run, claim = running_run(worker=worker)
    assert cut_after(claim, worker, outcome).won
    assert Attempt.objects.count() == (1 if isinstance(outcome, Failed) else 0)
    assert reload(run).attempt == (2 if isinstance(outcome, Failed) else 1)


@pytest.mark.django_db
def test_a_task_that_seeds_the_random_numbers_does_not_make_all_retries_come_at_once() -> None:
    delays = set()
    for _ in range(3):
        _, claim = running_run(retry_policy="fixed", retry_delay=1000, max_retries=3)
        random.seed(7)
        delays.add(finish(claim, Failed("no luck"), NOON).delay)
    assert len(delays) == 3
