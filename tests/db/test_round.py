"""A round of the beat: until nothing is due, within its budget, and only while it may go on."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from jobs import round as beat_round
from jobs.dispatch import Message
from jobs.exceptions import BrokerUnavailable
from jobs.models import Job, Run
from jobs.round import next_due, work
from jobs.states import State
from tests.factories import NOON, make_job, planned_job, queued_run, run_in, scheduled_run

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)


def at_noon() -> datetime:
    return NOON


def always() -> bool:
    return True


def swallow(messages: Sequence[Message]) -> None:
    """A broker that takes everything."""


def away(messages: Sequence[Message]) -> None:
    raise BrokerUnavailable("connection refused")


def trusted_for(batches: int) -> Callable[[], bool]:
    left = iter([True] * batches + [False] * 100)
    return lambda: next(left)


def test_a_round_plans_ticks_and_sends_until_nothing_is_due(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 3}
    for _ in range(7):
        planned_job()
    new = make_job()
    Job.objects.filter(pk=new.pk).update(planned_from=NOON - SECOND)
    result = work(at_noon, always, swallow)
    assert (result.planned, result.fired, result.sent) == (1, 8, 8)
    assert not result.unfinished
    assert result.broker_away is None
    assert set(Run.objects.values_list("state", flat=True)) == {State.QUEUED}


def test_a_round_tells_what_it_skipped_missed_and_set_aside() -> None:
    busy = planned_job(overlap="skip")
    queued_run(NOON - SECOND, busy)
    planned_job(NOON - timedelta(hours=2), schedule="@hourly", missed="skip", grace=0)
    broken = planned_job()
    Job.objects.filter(pk=broken.pk).update(planned_schedule="nonsense")
    result = work(at_noon, always, swallow)
    assert (result.fired, result.skipped, result.missed, result.set_aside) == (1, 1, 2, 1)


def test_a_beat_without_trust_does_nothing_at_all() -> None:
    planned_job()
    scheduled_run()
    result = work(at_noon, lambda: False, swallow)
    assert result.unfinished
    assert (result.fired, result.sent) == (0, 0)
    assert Run.objects.get().state == State.SCHEDULED


def test_trust_is_looked_at_before_every_batch(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 1}
    for _ in range(5):
        planned_job()
    result = work(at_noon, trusted_for(2), swallow)
    assert (result.fired, result.sent, result.unfinished) == (2, 2, True)
    assert work(at_noon, always, swallow).fired == 3


def test_a_round_that_has_spent_its_budget_makes_way(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CARILLON = {"BATCH": 1}
    for _ in range(5):
        planned_job()
    seconds = iter([0.0, 0.4, 0.8, 1.2])
    monkeypatch.setattr(beat_round, "monotonic", lambda: next(seconds))
    result = work(at_noon, always, swallow)
    assert (result.fired, result.unfinished) == (2, True)


def test_ticks_go_on_being_recorded_while_the_broker_is_away(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 2}
    for _ in range(5):
        planned_job()
    result = work(at_noon, always, away)
    assert str(result.broker_away) == "connection refused"
    assert (result.fired, result.sent, result.unfinished) == (5, 0, False)
    assert set(Run.objects.values_list("state", flat=True)) == {State.SCHEDULED}
    assert work(at_noon, always, swallow).sent == 5


def test_a_broker_that_is_away_is_asked_once_a_round(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 1}
    asked: list[int] = []

    def counted(messages: Sequence[Message]) -> None:
        asked.append(len(messages))
        raise BrokerUnavailable("timed out")

    for _ in range(4):
        planned_job()
    assert work(at_noon, always, counted).fired == 4
    assert asked == [1]


def test_an_edit_is_seen_in_the_next_batch() -> None:
    job = planned_job(NOON + timedelta(days=1), schedule="@daily")
    job.schedule = "* * * * * *"
    job.save()
    Job.objects.filter(pk=job.pk).update(planned_from=NOON - SECOND, owed_until=NOON - SECOND)
    assert work(at_noon, always, swallow).fired == 1


def test_the_next_due_moment_is_the_earlier_of_jobs_and_runs() -> None:
    assert next_due(NOON) is None
    planned_job(NOON + 20 * SECOND)
    assert next_due(NOON) == NOON + 20 * SECOND
    waiting = scheduled_run(NOON)
    Run.objects.filter(pk=waiting.pk).update(due_at=NOON + 10 * SECOND)
    assert next_due(NOON) == NOON + 10 * SECOND
    Run.objects.filter(pk=waiting.pk).update(due_at=NOON + 30 * SECOND)
    assert next_due(NOON) == NOON + 20 * SECOND


def test_what_is_overdue_or_waits_for_no_moment_is_no_next_moment() -> None:
    planned_job(NOON)
    for state in State:
        later = Run.objects.filter(pk=run_in(state).pk).exclude(state__in=(State.SCHEDULED, State.WAITING))
        later.update(due_at=NOON + SECOND)
    assert next_due(NOON) is None
