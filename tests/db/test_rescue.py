"""Rescue: dead workers, orphans, lost messages, start deadlines, and attempts that overrun."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from jobs import transitions
from jobs.exceptions import BrokerUnavailable
from jobs.models import Attempt, Run, Worker
from jobs.rescue import (
    HIDDEN,
    RescueResult,
    bury_workers,
    end_overdue,
    expire,
    rescue,
    resend_lost_messages,
    take_orphans,
)
from jobs.states import State
from tests.connections import locks_held
from tests.factories import (
    NOON,
    claimant_of,
    make_job,
    make_worker,
    queued_run,
    reload,
    run_in,
    running_run,
    scheduled_run,
    ticket_of,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
LEASE = 15 * SECOND
MESSAGE = 30 * SECOND


def depths(**waiting: int) -> object:
    def asked(queues: Collection[str]) -> Mapping[str, int]:
        return {queue: waiting.get(queue, 0) for queue in queues}

    return asked


EMPTY = depths()


def resend(now: datetime, **waiting: int) -> int:
    return resend_lost_messages(now, depths(**waiting))  # type: ignore[arg-type]


def states(*runs: Run) -> list[str]:
    return [reload(run).state for run in runs]


def test_a_quiet_system_is_left_alone() -> None:
    running_run(worker=make_worker())
    queued_run()
    scheduled_run()
    before = list(Run.objects.values())
    result = rescue(NOON + SECOND, EMPTY)  # type: ignore[arg-type]
    assert result == RescueResult()
    assert not result
    assert list(Run.objects.values()) == before


def test_a_dead_worker_is_removed_and_its_attempts_are_given_to_others() -> None:
    worker = make_worker()
    (one, _), (other, _) = running_run(worker=worker), running_run(worker=worker)
    end = NOON + LEASE
    assert bury_workers(end) == (0, 0)
    assert bury_workers(end + SECOND) == (1, 2)
    assert not Worker.objects.exists()
    one = reload(one)
    assert states(one, other) == [State.SCHEDULED, State.SCHEDULED]
    assert (one.attempt, one.losses, one.retries, one.due_at) == (2, 1, 0, end + SECOND)
    assert one.reason == "attempt 1 was lost: the worker worker@test went silent"
    attempt = Attempt.objects.get(run=one)
    assert (attempt.outcome, attempt.worker_name, attempt.started_at) == ("lost", "worker@test", NOON)


def test_a_living_worker_keeps_its_runs() -> None:
    run, _ = running_run(worker=make_worker(NOON, "dead@test"))
    kept, _ = running_run(worker=make_worker(NOON + LEASE, "alive@test"))
    bury_workers(NOON + LEASE + SECOND)
    assert states(run, kept) == [State.SCHEDULED, State.RUNNING]
    assert Worker.objects.get().name == "alive@test"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_just_renewing_its_lease_is_passed_by() -> None:
    worker = make_worker()
    running_run(worker=worker)
    renewal = "UPDATE jobs_worker SET lease_until = lease_until + interval '1 hour' WHERE id = %s"
    with locks_held(renewal, [worker.pk]):
        assert bury_workers(NOON + LEASE + SECOND) == (0, 0)
    assert bury_workers(NOON + LEASE + SECOND) == (1, 1)


def test_a_claim_that_was_on_its_way_while_its_worker_was_buried_is_given_up() -> None:
    worker = make_worker()
    run, _ = running_run(worker=worker)
    alive, _ = running_run(worker=make_worker(name="alive@test"))
    worker.delete()
    assert take_orphans(NOON + SECOND) == 1
    assert states(run, alive) == [State.SCHEDULED, State.RUNNING]
    assert reload(run).reason == "attempt 1 was lost: the worker worker@test is gone"


def test_a_run_that_loses_its_worker_three_times_is_set_aside_as_poison() -> None:
    run = queued_run(max_retries=0)
    for loss in (1, 2, 3):
        now = NOON + loss * timedelta(minutes=1)
        claim = transitions.claim(ticket_of(run), run.task, claimant_of(make_worker(now)), 40, now=now)
        assert claim is not None, f"before loss {loss}"
        assert bury_workers(now + LEASE + SECOND) == (1, 1)
        run = reload(run)
        assert (run.losses, run.retries) == (loss, 0)
    assert run.state == State.FAILED
    assert run.reason == "poison: set aside after it was lost 3 times with the process that ran it"
    assert run.error == "the worker worker@test went silent"
    assert Attempt.objects.filter(run=run, outcome="lost").count() == 3


def test_a_lost_message_is_sent_again_after_its_patience_and_not_before() -> None:
    run = queued_run()
    assert resend(NOON + MESSAGE) == 0
    assert resend(NOON + MESSAGE + SECOND) == 1
    run = reload(run)
    assert (run.state, run.attempt, run.resends, run.losses, run.retries) == (State.SCHEDULED, 1, 1, 0, 0)
    assert run in Run.objects.due(NOON + MESSAGE + SECOND)


def test_a_queue_that_holds_all_messages_is_not_sent_all_over_again() -> None:
    for _ in range(5):
        queued_run()
    assert resend(NOON + 2 * MESSAGE, celery=5) == 0
    assert resend(NOON + 2 * MESSAGE, celery=7) == 0


def test_only_as_many_are_sent_again_as_the_queue_is_short_of_and_the_oldest_first() -> None:
    runs = [queued_run(NOON + number * SECOND) for number in range(5)]
    assert resend(NOON + 2 * MESSAGE, celery=3) == 2
    assert states(*runs) == [State.SCHEDULED] * 2 + [State.QUEUED] * 3


def test_each_queue_is_judged_by_itself() -> None:
    full, empty = queued_run(queue="full"), queued_run(queue="empty")
    assert resend(NOON + 2 * MESSAGE, full=1) == 1
    assert states(full, empty) == [State.QUEUED, State.SCHEDULED]


def test_a_run_that_was_queued_lately_stays_queued_though_messages_are_lost() -> None:
    queued_run()
    late = queued_run(NOON + MESSAGE)
    assert resend(NOON + MESSAGE + SECOND) == 1
    assert states(late) == [State.QUEUED]


def test_a_run_hidden_by_a_long_queue_is_sent_again_after_ten_minutes() -> None:
    run = queued_run()
    assert resend(NOON + HIDDEN + SECOND, celery=1) == 0, "a queue of just its length hides nothing"
    assert resend(NOON + HIDDEN, celery=100) == 0
    assert resend(NOON + HIDDEN + SECOND, celery=100) == 1
    assert states(run) == [State.SCHEDULED]


def test_no_broker_is_asked_when_nothing_is_overdue() -> None:
    queued_run()

    def unreachable(queues: Collection[str]) -> Mapping[str, int]:
        raise BrokerUnavailable("away")

    assert resend_lost_messages(NOON + SECOND, unreachable) == 0
    with pytest.raises(BrokerUnavailable):
        resend_lost_messages(NOON + 2 * MESSAGE, unreachable)


def test_dead_workers_are_buried_although_the_broker_is_away() -> None:
    run, _ = running_run()
    queued_run()

    def unreachable(queues: Collection[str]) -> Mapping[str, int]:
        raise BrokerUnavailable("away")

    with pytest.raises(BrokerUnavailable):
        rescue(NOON + 2 * MESSAGE, unreachable)
    assert states(run) == [State.SCHEDULED]


def test_start_deadlines_and_overruns_are_seen_to_although_the_broker_is_away() -> None:
    waiting, _ = scheduled_run(expires=60), queued_run()
    worker = make_worker()
    run, _ = running_run(worker=worker, timeout=10)
    later = NOON + timedelta(minutes=2)
    Worker.objects.update(lease_until=later + SECOND)

    def unreachable(queues: Collection[str]) -> Mapping[str, int]:
        raise BrokerUnavailable("away")

    with pytest.raises(BrokerUnavailable):
        rescue(later, unreachable)
    assert states(waiting, run) == [State.MISSED, State.SCHEDULED]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.QUEUED, State.HELD])
def test_a_run_that_did_not_start_by_its_deadline_is_missed(state: State) -> None:
    run = run_in(state)
    Run.objects.filter(pk=run.pk).update(expires_at=NOON + SECOND)
    assert expire(NOON + SECOND) == 0
    assert expire(NOON + 2 * SECOND) == 1
    run = reload(run)
    assert (run.state, run.reason) == (State.MISSED, "it had not started by its start deadline")
    assert run.finished_at == NOON + 2 * SECOND


def test_a_run_that_has_started_does_not_expire() -> None:
    run, _ = running_run(expires=1)
    assert expire(NOON + timedelta(hours=1)) == 0
    assert states(run) == [State.RUNNING]


def test_an_attempt_past_its_deadline_on_a_living_worker_is_ended_by_the_retry_policy() -> None:
    run, _ = running_run(timeout=100, retry_policy="immediate")
    deadline = NOON + 140 * SECOND
    assert end_overdue(deadline) == 0
    assert end_overdue(deadline + SECOND) == 1
    run = reload(run)
    assert (run.state, run.attempt, run.retries) == (State.SCHEDULED, 2, 1)
    # A lease: within it the worker has noticed, at two heartbeats, that it has to kill what it still executes.
    assert run.due_at == deadline + 16 * SECOND
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.error) == ("timed_out", "no outcome by its deadline of 2026-07-01 12:02:20 UTC")


def test_an_overrun_without_retries_left_fails() -> None:
    run, _ = running_run(timeout=100, retry_policy="none")
    end_overdue(NOON + timedelta(hours=1))
    run = reload(run)
    assert (run.state, run.reason) == (State.FAILED, "the job's policy is not to retry")


def test_a_run_that_nobody_claims_for_long_has_no_overrun() -> None:
    run = queued_run()
    assert end_overdue(NOON + timedelta(hours=1)) == 0
    assert states(run) == [State.QUEUED]


def test_one_pass_sees_to_everything_and_tells_what_it_did(settings: Settings) -> None:
    settings.CARILLON = {"LEASE": 3600}
    orphan, _ = running_run()
    Worker.objects.all().delete()
    settings.CARILLON = {}
    running_run(worker=make_worker(name="dead@test"))
    queued_run(queue="lost")
    scheduled_run(expires=10)
    living = make_worker(NOON + timedelta(minutes=2), "living@test")
    run = queued_run(job=make_job(timeout=1))
    assert transitions.claim(ticket_of(run), run.task, claimant_of(living), 40, now=NOON) is not None
    assert rescue(NOON + timedelta(minutes=2), EMPTY) == RescueResult(  # type: ignore[arg-type]
        dead_workers=1, lost=2, resent=1, expired=1, timed_out=1
    )
    assert states(orphan) == [State.SCHEDULED]


def test_rescuing_twice_changes_nothing_more() -> None:
    running_run()
    queued_run()
    now = NOON + timedelta(minutes=2)
    assert rescue(now, EMPTY)  # type: ignore[arg-type]
    before = list(Run.objects.values())
    assert not rescue(now, EMPTY)  # type: ignore[arg-type]
    assert list(Run.objects.values()) == before
