"""Dispatch: publish first, outside of any transaction, then mark; whatever goes wrong in between is harmless."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from jobs import transitions
from jobs.dispatch import DispatchResult, Message, dispatch
from jobs.exceptions import BrokerUnavailable
from jobs.models import Job, Run
from jobs.states import State
from tests.factories import (
    NOON,
    claimant_of,
    make_job,
    make_worker,
    planned_job,
    queued_run,
    reload,
    run_in,
    scheduled_run,
    ticket_of,
)


class Recorder:
    """Keeps what it is told to publish, and in what state the run was meanwhile."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.states: list[str] = []

    def __call__(self, messages: Sequence[Message]) -> None:
        assert not connection.in_atomic_block
        self.messages += messages
        self.states += [reload(message.ticket.run_id).state for message in messages]


@pytest.mark.django_db(transaction=True)
def test_a_due_run_is_published_outside_of_any_transaction_and_then_marked_queued() -> None:
    run, publish = scheduled_run(queue="slow", priority=2, timeout=60), Recorder()
    assert dispatch(NOON, publish) == DispatchResult(sent=1)
    assert publish.messages == [Message(ticket_of(run), "probe.add", "slow", 2, soft_limit=60, hard_limit=70)]
    assert publish.states == [State.SCHEDULED]
    run = reload(run)
    assert (run.state, run.queued_at, run.deadline_at) == (State.QUEUED, NOON, NOON + timedelta(seconds=30))


@pytest.mark.django_db(transaction=True)
def test_only_what_is_due_and_scheduled_is_sent() -> None:
    for state in set(State) - {State.SCHEDULED}:
        run_in(state)
    scheduled_run(NOON + timedelta(seconds=1))
    publish = Recorder()
    assert dispatch(NOON, publish) == DispatchResult()
    assert publish.messages == []


@pytest.mark.django_db(transaction=True)
def test_the_longest_due_goes_first_and_a_full_batch_tells_that_there_is_more(settings: Settings) -> None:
    settings.CARILLON = {"BATCH": 2}
    runs = [scheduled_run(NOON - timedelta(seconds=seconds)) for seconds in (1, 3, 2)]
    publish = Recorder()
    assert dispatch(NOON, publish) == DispatchResult(sent=2, more=True)
    assert [message.ticket for message in publish.messages] == [ticket_of(runs[1]), ticket_of(runs[2])]
    assert dispatch(NOON, publish) == DispatchResult(sent=1)
    assert dispatch(NOON, publish) == DispatchResult()


@pytest.mark.django_db
def test_due_runs_and_jobs_come_in_order_however_the_database_finds_them() -> None:
    for seconds in (1, 3, 2):
        scheduled_run(NOON - timedelta(seconds=seconds))
        planned_job(NOON - timedelta(seconds=seconds))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    due = [run.due_at for run in Run.objects.due(NOON)]
    assert due == sorted(due)
    ticks = [job.next_run_at for job in Job.objects.due(NOON)]
    assert ticks == [NOON - timedelta(seconds=seconds) for seconds in (3, 2, 1)]


@pytest.mark.django_db(transaction=True)
def test_when_the_broker_is_away_the_runs_stay_scheduled() -> None:
    run = scheduled_run()
    before = Run.objects.values().get()

    def away(messages: Sequence[Message]) -> None:
        raise BrokerUnavailable("connection refused")

    with pytest.raises(BrokerUnavailable):
        dispatch(NOON, away)
    assert Run.objects.values().get() == before
    assert dispatch(NOON, Recorder()).sent == 1
    assert reload(run).state == State.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_message_that_arrived_although_publishing_raised_runs_once() -> None:
    run, worker = scheduled_run(), make_worker()
    delivered: list[Message] = []

    def frozen(messages: Sequence[Message]) -> None:
        delivered.extend(messages)
        raise BrokerUnavailable("timed out")

    with pytest.raises(BrokerUnavailable):
        dispatch(NOON, frozen)
    first, *_ = delivered
    assert transitions.claim(first.ticket, run.task, claimant_of(worker), 40, now=NOON) is not None

    publish = Recorder()
    assert dispatch(NOON, publish) == DispatchResult()
    assert transitions.claim(first.ticket, run.task, claimant_of(worker, 1), 40, now=NOON) is None
    assert reload(run).state == State.RUNNING


@pytest.mark.django_db(transaction=True)
def test_a_message_that_was_sent_twice_loses_the_second_time() -> None:
    run, worker, publish = scheduled_run(), make_worker(), Recorder()

    def crash_after_publishing(messages: Sequence[Message]) -> None:
        publish(messages)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dispatch(NOON, crash_after_publishing)
    assert dispatch(NOON, publish).sent == 1
    one, other = publish.messages
    assert one.ticket == other.ticket
    assert transitions.claim(one.ticket, run.task, claimant_of(worker), 40, now=NOON) is not None
    assert transitions.claim(other.ticket, run.task, claimant_of(worker, 1), 40, now=NOON) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("finished", [False, True])
def test_a_worker_that_is_faster_than_the_mark_is_not_set_back(*, finished: bool) -> None:
    run, worker = scheduled_run(), make_worker()

    def claimed_at_once(messages: Sequence[Message]) -> None:
        claim = transitions.claim(messages[0].ticket, run.task, claimant_of(worker), 40, now=NOON)
        assert claim is not None
        if finished:
            assert transitions.succeed(claim.ticket, {}, NOON)

    assert dispatch(NOON, claimed_at_once).sent == 1
    assert reload(run).state == (State.SUCCEEDED if finished else State.RUNNING)


@pytest.mark.django_db(transaction=True)
def test_a_retry_is_sent_as_the_next_attempt_and_only_when_it_is_due() -> None:
    run = queued_run()
    transitions.try_again(ticket_of(run), [State.QUEUED], 10, {}, NOON)
    publish = Recorder()
    assert dispatch(NOON + timedelta(seconds=9), publish) == DispatchResult()
    assert dispatch(NOON + timedelta(seconds=10), publish).sent == 1
    assert publish.messages[0].ticket.attempt == 2


@pytest.mark.django_db(transaction=True)
def test_no_message_carries_the_arguments() -> None:
    scheduled_run(job=make_job(args=["s3cret"], kwargs={"password": "hunter2"}))
    publish = Recorder()
    dispatch(NOON, publish)
    assert "s3cret" not in repr(publish.messages)
    assert "hunter2" not in repr(publish.messages)
