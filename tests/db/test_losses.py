"""Attempts that cannot speak for themselves: lost, given back, timed out, or of a task that nobody knows."""

from datetime import timedelta

import pytest

from jobs.losses import give_back, lose, time_out, unknown_task
from jobs.models import Attempt, Run
from jobs.states import State
from jobs.transitions import Ticket
from tests.factories import NOON, queued_run, reload, running_run, ticket_of

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)


def due_again(run: Run) -> Run:
    """The run after its next attempt has been queued, as dispatch does it."""
    Run.objects.filter(pk=run.pk).update(state="queued", deadline_at=LATER)
    return reload(run)


def test_a_loss_costs_no_retry_and_may_wait() -> None:
    run, claim = running_run(retry_policy="none")
    assert lose(claim.ticket, "killed by signal 9", LATER, delay=7)
    run = reload(run)
    assert (run.state, run.attempt, run.losses, run.retries) == (State.SCHEDULED, 2, 1, 0)
    assert run.due_at == LATER + timedelta(seconds=7)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.error, attempt.pid) == ("lost", "killed by signal 9", claim.claimant.pid)
    assert (attempt.started_at, attempt.finished_at) == (NOON, LATER)


def test_a_loss_of_what_had_not_started_names_no_process() -> None:
    run = queued_run()
    assert lose(ticket_of(run), "lost on the way", LATER)
    attempt = Attempt.objects.get()
    assert (attempt.worker_name, attempt.pid, attempt.started_at) == ("", None, None)


@pytest.mark.parametrize(
    "tell",
    [
        lambda ticket: lose(ticket, "x", LATER),
        lambda ticket: give_back(ticket, "x", LATER),
        lambda ticket: time_out(ticket, "x", LATER),
        lambda ticket: unknown_task(ticket, "w@test", LATER),
    ],
    ids=["lose", "give back", "time out", "unknown task"],
)
def test_news_of_another_attempt_or_of_a_finished_run_changes_nothing(tell) -> None:  # type: ignore[no-untyped-def]
    run, claim = running_run()
    assert not tell(Ticket(run.pk, 2))
    assert tell(claim.ticket)
    before = (Run.objects.values().get(), Attempt.objects.count())
    assert not tell(claim.ticket)
    assert (Run.objects.values().get(), Attempt.objects.count()) == before


def test_giving_back_costs_nothing_however_often() -> None:
    run, _ = running_run(retry_policy="none")
    for attempt in range(1, 7):
        assert give_back(Ticket(run.pk, attempt), "the worker stops", LATER)
        assert reload(run).due_at == LATER
        due_again(run)
    run = reload(run)
    assert (run.attempt, run.losses, run.retries) == (7, 0, 0)
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"given_back"}


def test_a_timeout_uses_up_a_retry_and_waits_at_least_as_long_as_it_is_told() -> None:
    run, claim = running_run(retry_policy="fixed", retry_delay=3, retry_jitter=False)
    assert time_out(claim.ticket, "the hard limit", LATER, delay=10)
    run = reload(run)
    assert (run.state, run.retries, run.due_at) == (State.SCHEDULED, 1, LATER + timedelta(seconds=10))
    assert (run.reason, run.error) == ("retry 1 after 10.0 s", "the hard limit")


def test_a_timeout_waits_for_the_policy_where_that_is_longer() -> None:
    run, claim = running_run(retry_policy="fixed", retry_delay=30, retry_jitter=False)
    assert time_out(claim.ticket, "the hard limit", LATER, delay=10)
    assert reload(run).due_at == LATER + timedelta(seconds=30)


def test_a_timeout_with_no_retries_left_fails_the_run() -> None:
    run, claim = running_run(max_retries=0)
    assert time_out(claim.ticket, "the hard limit", LATER)
    run = reload(run)
    assert (run.state, run.error, run.finished_at) == (State.FAILED, "the hard limit", LATER)
    assert Attempt.objects.get().outcome == "timed_out"


def test_an_unknown_task_is_tried_ever_more_rarely_and_then_failed() -> None:
    run = queued_run(task="gone.task")
    waits = []
    for attempt in range(1, 8):
        assert unknown_task(Ticket(run.pk, attempt), "old@test", LATER)
        waits.append((reload(run).due_at - LATER).total_seconds())
        due_again(run)
    assert waits == [2, 4, 8, 16, 32, 64, 120]
    assert unknown_task(Ticket(run.pk, 8), "old@test", LATER)
    run = reload(run)
    assert (run.state, run.reason) == (State.FAILED, "no worker knew its task 8 times")
    assert run.error == "worker old@test does not know the task 'gone.task'"
    assert (run.retries, run.losses) == (0, 0)
