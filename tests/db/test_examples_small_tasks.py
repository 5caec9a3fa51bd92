"""Clearing sessions, and the upstream that fails at first."""

from datetime import timedelta

import pytest
from celery import current_app
from django.contrib.sessions.models import Session
from pytest_django import Settings

from examples.tasks.flaky import UpstreamUnavailable, ask_unreliable_upstream
from examples.tasks.sessions import clear_expired_sessions
from jobs import transitions
from jobs.clock import database_now
from jobs.current import executing
from jobs.execute import execute
from jobs.finish import Conclusion
from jobs.models import Job, Run
from jobs.policies.outcomes import Outcome, Succeeded
from jobs.states import State
from jobs.task_outcomes import outcome_of
from jobs.transitions import Claim
from tests.factories import NOON, claimant_of, make_job, make_worker, reload, running_run, scheduled_run, ticket_of

pytestmark = pytest.mark.django_db


def make_sessions(expired: int, valid: int) -> None:
    now = database_now()
    Session.objects.bulk_create(
        Session(session_key=f"key-{number}", session_data="", expire_date=now + timedelta(hours=hours))
        for number, hours in enumerate([-1] * expired + [1] * valid)
    )


@pytest.mark.parametrize("batch", [2, 5, 5_000])
def test_expired_sessions_are_removed_and_the_others_kept(batch: int) -> None:
    make_sessions(expired=5, valid=3)
    assert clear_expired_sessions(batch) == {"removed": 5}
    assert set(Session.objects.values_list("session_key", flat=True)) == {"key-5", "key-6", "key-7"}
    assert clear_expired_sessions() == {"removed": 0}


def test_sessions_without_a_table(settings: Settings) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    assert clear_expired_sessions() == {"removed": None}


def test_a_cancelled_run_stops_between_batches() -> None:
    make_sessions(expired=4, valid=0)
    run, claim = running_run()
    assert transitions.cancel(run.pk, "no longer wanted", NOON)
    with executing(claim):
        assert clear_expired_sessions(batch=2) == {"removed": 0}
    assert Session.objects.count() == 4


def test_a_wrong_batch_is_named() -> None:
    with pytest.raises(ValueError, match="batch: 0 is not in 1-1000000"):
        clear_expired_sessions(0)


def attempt(run: Run, job: Job) -> Conclusion:
    """The next attempt of the run, as a worker makes it."""

    def body(claim: Claim) -> Outcome:
        try:
            return Succeeded(ask_unreliable_upstream(**claim.kwargs))
        except UpstreamUnavailable as error:
            return outcome_of(error)

    conclusion = execute(ticket_of(reload(run)), job.task, claimant_of(make_worker()), body, now=NOON)
    assert conclusion is not None
    return conclusion


@pytest.mark.django_db(transaction=True)
def test_the_unreliable_upstream_answers_at_the_third_attempt() -> None:
    job = make_job(
        task="examples.ask_unreliable_upstream",
        args=[],
        kwargs={"failures": 2},
        retry_delay=2,
        retry_jitter=False,
    )
    run = scheduled_run(job=job)
    delays = [(attempt(run, job).delay, reload(run).error) for _ in range(2)]
    assert [delay for delay, _ in delays] == [2, 4]
    assert all("the upstream answered 503 (pretended)" in error for _, error in delays)
    assert attempt(run, job).state == State.SUCCEEDED
    ended = reload(run)
    assert (ended.attempt, ended.retries) == (3, 2)
    assert ended.result == "attempt 3: the upstream answered (pretended)"


def test_outside_of_a_run_there_is_no_attempt_to_count() -> None:
    with pytest.raises(ValueError, match="attempt: there is none outside of a run"):
        ask_unreliable_upstream()


def test_a_wrong_number_of_failures_is_named() -> None:
    with pytest.raises(ValueError, match="failures: -1 is not in 0-100"):
        ask_unreliable_upstream(-1)


def test_every_task_is_registered_under_its_name() -> None:
    assert {name for name in current_app.tasks if name.startswith("examples.")} == {
        "examples.ask_unreliable_upstream",
        "examples.back_up_database",
        "examples.check_endpoints",
        "examples.clear_expired_sessions",
        "examples.prune_directory",
        "examples.report_runs",
        "examples.sync_contacts",
    }
