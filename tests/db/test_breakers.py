"""The circuit breaker of a job on the real ledger: when it opens, what it lets through, and what closes it."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from jobs import breakers, control, transitions, trigger
from jobs.births import Birth, insert, new_run_id
from jobs.models import Backfill, Canary, Job, Run
from jobs.models.choices import Circuit
from jobs.settle import settle
from jobs.states import State
from jobs.tick import tick
from tests.circuits import MINUTE, SECOND, circuit_of, fail_at, guarded, opened, tick_at
from tests.endings import end, ended_run
from tests.factories import NOON, make_job, reload, scheduled_run

pytestmark = pytest.mark.django_db


def test_it_opens_after_failures_in_a_row_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    job = guarded(name="nightly")
    fail_at(job, 1)
    assert circuit_of(job) == Circuit.CLOSED
    fail_at(job, 2)
    job.refresh_from_db()
    assert (job.circuit, job.circuit_reason) == (Circuit.OPEN, "2 failures in a row")
    assert job.circuit_changed_at == NOON + 2 * SECOND
    assert ("jobs.circuits", logging.WARNING, "the circuit of the job 'nightly' is open: 2 failures in a row") in (
        caplog.record_tuples
    )


def test_a_success_between_them_breaks_the_row() -> None:
    job = guarded()
    fail_at(job, 1)
    ended_run(job, NOON + 2 * SECOND)
    fail_at(job, 3)
    assert circuit_of(job) == Circuit.CLOSED


def test_it_opens_when_too_many_of_the_last_runs_have_failed() -> None:
    job = guarded(breaker_failures=None, breaker_percent=50, breaker_window=4)
    for second in (1, 2):
        ended_run(job, NOON + second * SECOND)
    fail_at(job, 3)
    assert circuit_of(job) == Circuit.CLOSED
    fail_at(job, 4)
    assert Job.objects.get(pk=job.pk).circuit_reason == "2 failures in the last 4 runs (50 %)"


def test_failures_with_other_exceptions_neither_count_nor_break_the_row() -> None:
    job = guarded(breaker_exceptions="ConnectionError, TimeoutError")
    fail_at(job, 1, classes=["ConnectionError", "OSError"])
    fail_at(job, 2, 3, classes=["ValueError"])
    fail_at(job, 4)
    assert circuit_of(job) == Circuit.CLOSED
    fail_at(job, 5, classes=["TimeoutError"])
    assert Job.objects.get(pk=job.pk).circuit_reason == "2 failures with ConnectionError or TimeoutError in a row"


def test_what_did_not_run_to_its_end_says_nothing() -> None:
    job = guarded()
    fail_at(job, 1)
    assert transitions.cancel(scheduled_run(NOON, job).pk, "by ann", NOON + 2 * SECOND)
    insert([Birth(new_run_id(NOON), job.pk, NOON, state=State.SKIPPED, reason="a reason")], NOON + 2 * SECOND)
    fail_at(job, 3)
    assert circuit_of(job) == Circuit.OPEN


def test_the_runs_of_a_canary_and_of_a_backfill_are_left_out() -> None:
    job = guarded()
    canary = Canary.objects.create(job=job, percent=10, queue="new", made_by="ann")
    backfill = Backfill.objects.create(job=job, first=NOON, last=NOON, total=1, made_by="ann")
    aside: tuple[dict[str, Any], ...] = ({"canary": canary}, {"backfill": backfill})
    for number, of in enumerate(aside * 2):
        run = scheduled_run(NOON, job)
        Run.objects.filter(pk=run.pk).update(**of)
        end(reload(run), NOON + number * SECOND, failed=True)
        settle(NOON + number * SECOND)
    assert circuit_of(job) == Circuit.CLOSED


def test_failures_from_before_it_was_closed_do_not_count() -> None:
    job = opened()
    assert breakers.close(job, "ann", NOON + 301 * SECOND)
    fail_at(job, 302)
    assert circuit_of(job) == Circuit.CLOSED
    fail_at(job, 303)
    assert circuit_of(job) == Circuit.OPEN


def test_runs_by_hand_pass_an_open_circuit_and_do_not_close_it() -> None:
    job = opened()
    run = trigger.run_now(job.pk, NOON + 6 * MINUTE)
    assert run.state == State.SCHEDULED
    end(run, NOON + 6.5 * MINUTE)
    settle(NOON + 6.5 * MINUTE)
    assert circuit_of(job) == Circuit.OPEN


def test_of_many_ticks_that_are_due_at_once_one_is_the_probe() -> None:
    job = opened(missed="all", grace=0)
    tick(NOON + 20 * MINUTE)
    runs = job.runs.filter(trigger="schedule")
    assert runs.filter(state=State.SCHEDULED).count() == 1
    assert runs.filter(state=State.SKIPPED).count() == 15


def test_a_breaker_that_is_switched_off_is_closed_by_the_next_round() -> None:
    job = opened()
    job.refresh_from_db()
    job.breaker_failures = None
    job.save()
    settle(NOON + 301 * SECOND)
    job.refresh_from_db()
    assert (job.circuit, job.circuit_reason) == (Circuit.CLOSED, "its breaker was switched off")
    assert tick_at(job, 6).state == State.SCHEDULED


def test_a_form_that_was_open_meanwhile_does_not_close_it() -> None:
    job = guarded()
    stale = Job.objects.get(pk=job.pk)
    fail_at(job, 1, 2)
    stale.description = "edited"
    stale.save()
    assert circuit_of(job) == Circuit.OPEN


def test_closing_by_hand_says_who_and_does_nothing_twice() -> None:
    job = opened()
    assert breakers.close(job, "ann", NOON + 6 * MINUTE)
    assert not breakers.close(job, "bob", NOON + 6 * MINUTE)
    job.refresh_from_db()
    assert (job.circuit, job.circuit_reason, job.circuit_counts_from) == (
        Circuit.CLOSED,
        "closed by ann",
        NOON + 6 * MINUTE,
    )
    job.delete()
    assert not breakers.close(Job(pk=job.pk or 1), "ann", NOON)


def test_a_pause_of_the_job_leaves_the_circuit_as_it_is() -> None:
    job = opened()
    control.pause_job(job.pk)
    settle(NOON + 20 * MINUTE)
    assert circuit_of(job) == Circuit.OPEN


def test_a_circuit_of_a_row_that_was_written_by_hand_lets_a_probe_through() -> None:
    job = guarded()
    Job.objects.filter(pk=job.pk).update(circuit=Circuit.HALF_OPEN, circuit_probe=uuid4())
    assert tick_at(job, 5).state == State.SCHEDULED
    Job.objects.filter(pk=job.pk).update(circuit=Circuit.OPEN, circuit_probe=None, circuit_changed_at=None)
    assert tick_at(job, 6).state == State.SCHEDULED


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"breaker_failures": 0}, "breaker_failures", "greater than or equal to 1"),
        ({"breaker_percent": 101}, "breaker_percent", "less than or equal to 100"),
        ({"breaker_window": 1}, "breaker_window", "greater than or equal to 2"),
        ({"breaker_pause": 0}, "breaker_pause", "greater than or equal to 1"),
        ({"breaker_failures": 1, "breaker_exceptions": "no-class"}, "breaker_exceptions", "no-class: not the name"),
        ({"breaker_exceptions": "OSError"}, "breaker_exceptions", "counts for nothing without failures in a row"),
    ],
)
def test_rules_that_make_no_sense_are_refused_on_their_field(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make_job(**fields).full_clean()
    assert words in refused.value.message_dict[field][0]
