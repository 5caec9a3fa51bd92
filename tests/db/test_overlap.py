"""Overlap on the real ledger: who starts, who waits, who gives way, and when the next in line goes on."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs import lease, transitions, trigger
from jobs.admit import admit
from jobs.models import Job, Run
from jobs.states import State
from jobs.tick import TickResult, tick
from tests.factories import NOON, claimant_of, make_worker, planned_job, reload, ticket_of

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def every_second(overlap: str, **fields: Any) -> Job:
    """A job with a tick each second, from noon on."""
    return planned_job(NOON, schedule="* * * * * *", overlap=overlap, **fields)


def tick_at(second: int) -> TickResult:
    """What the beat does at this second of the minute after noon."""
    return tick(NOON + second * SECOND)


def run_of(job: Job, second: int) -> Run:
    return job.runs.get(scheduled_for=NOON + second * SECOND)


def told(job: Job) -> list[str]:
    """The states of the job's runs, in the order of their ticks."""
    return list(job.runs.order_by("scheduled_for").values_list("state", flat=True))


def start(run: Run, at: datetime) -> transitions.Claim:
    """Let a worker execute the run."""
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(make_worker(at)), 40, now=at)
    assert claim is not None
    return claim


def test_one_run_waits_and_the_ticks_after_it_are_skipped() -> None:
    job = every_second("queue_one")
    for second in range(3):
        tick_at(second)
    assert told(job) == [State.SCHEDULED, State.WAITING, State.SKIPPED]
    assert run_of(job, 1).reason == f"waits for the run {run_of(job, 0).pk} to end"
    assert run_of(job, 2).reason == f"the run {run_of(job, 1).pk} was waiting already"


def test_all_runs_wait_up_to_the_limit_and_go_on_in_order() -> None:
    job = every_second("queue_all", overlap_limit=2)
    for second in range(4):
        tick_at(second)
    assert told(job) == [State.SCHEDULED, State.WAITING, State.WAITING, State.SKIPPED]
    assert admit(NOON + 4 * SECOND) == 0, "the first has not ended"
    for second in range(2):
        claim = start(run_of(job, second), NOON + 4 * SECOND)
        assert admit(NOON + 4 * SECOND) == 0, "it executes"
        assert transitions.succeed(claim.ticket, {}, NOON + 5 * SECOND)
        assert admit(NOON + 5 * SECOND) == 1
        assert run_of(job, second + 1).state == State.SCHEDULED
    assert admit(NOON + 5 * SECOND) == 0


def test_a_retry_keeps_its_place_before_those_that_wait() -> None:
    job = every_second("queue_one")
    tick_at(0)
    tick_at(1)
    claim = start(run_of(job, 0), NOON + SECOND)
    assert transitions.try_again(claim.ticket, [State.RUNNING], 600, {}, NOON + 2 * SECOND)
    assert admit(NOON + 3 * SECOND) == 0


def test_a_waiting_run_that_expires_is_missed_and_the_next_goes_on() -> None:
    job = every_second("queue_all", expires=10)
    for second in (0, 1, 2):
        tick_at(second)
    expired = list(Run.objects.expired(NOON + 12 * SECOND).values_list("pk", flat=True))
    assert transitions.expire(expired, NOON + 12 * SECOND) == 2
    assert told(job) == [State.MISSED, State.MISSED, State.WAITING]
    assert admit(NOON + 12 * SECOND) == 1


def test_what_replaces_a_run_that_no_worker_has_begun_goes_on_at_once() -> None:
    job = every_second("replace")
    tick_at(0)
    assert tick_at(1).stopped == (run_of(job, 0).pk,), "a worker may be beginning it at this very moment"
    assert told(job) == [State.CANCELLED, State.WAITING]
    assert admit(NOON + SECOND) == 1
    assert told(job) == [State.CANCELLED, State.SCHEDULED]
    assert run_of(job, 0).reason == f"replaced by the run {run_of(job, 1).pk}"


def test_of_two_ticks_in_one_batch_the_later_one_replaces_the_earlier() -> None:
    job = every_second("replace")
    tick_at(1)
    assert told(job) == [State.SKIPPED, State.SCHEDULED]
    assert run_of(job, 0).reason == f"replaced by the run {run_of(job, 1).pk}"


def test_what_replaces_a_run_that_executes_waits_until_its_worker_says_that_it_has_stopped() -> None:
    job = every_second("replace")
    tick_at(0)
    first = run_of(job, 0)
    claim = start(first, NOON)
    assert tick_at(1).stopped == (first.pk,)
    assert told(job) == [State.CANCELLED, State.WAITING]
    worker = claim.claimant.worker_id
    for second, executing, admitted in ((1, [], 0), (2, [claim.ticket], 0), (3, [], 1)):
        now = NOON + second * SECOND
        if second > 1:
            assert lease.renew(worker, 0, draining=False, now=now, executing=executing)
        assert admit(now + SECOND / 2) == admitted, f"after {second} s"
    assert told(job) == [State.CANCELLED, State.SCHEDULED]


def test_a_heartbeat_that_came_before_the_cancel_proves_nothing() -> None:
    job = every_second("replace")
    tick_at(0)
    claim = start(run_of(job, 0), NOON)
    assert lease.renew(claim.claimant.worker_id, 0, draining=False, now=NOON + 4 * SECOND)
    tick_at(5)
    assert admit(NOON + 6 * SECOND) == 0


def test_what_replaces_a_run_goes_on_when_its_worker_is_gone() -> None:
    job = every_second("replace")
    tick_at(0)
    claim = start(run_of(job, 0), NOON)
    tick_at(1)
    lease.retire(claim.claimant.worker_id)
    assert admit(NOON + 2 * SECOND) == 1
    assert told(job) == [State.CANCELLED, State.SCHEDULED]


def test_a_third_run_replaces_the_one_that_waits_and_waits_itself_for_the_first() -> None:
    job = every_second("replace")
    tick_at(0)
    start(run_of(job, 0), NOON)
    tick_at(1)
    tick_at(2)
    assert told(job) == [State.CANCELLED, State.CANCELLED, State.WAITING]
    assert admit(NOON + 2 * SECOND) == 0


def test_a_tick_that_has_its_row_replaces_nothing() -> None:
    job = every_second("replace")
    tick_at(0)
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON, planned=True)
    assert tick_at(0) == TickResult()
    assert told(job) == [State.SCHEDULED]


def test_allow_lets_a_released_run_go_on_beside_another() -> None:
    job = every_second("allow")
    tick_at(0)
    assert transitions.hold(run_of(job, 0).pk, "paused")
    tick_at(1)
    assert transitions.release(run_of(job, 0).pk)
    assert admit(NOON + SECOND) == 1
    assert told(job) == [State.SCHEDULED, State.SCHEDULED]


def test_a_released_run_waits_for_the_one_that_executes() -> None:
    job = every_second("queue_one")
    tick_at(0)
    tick_at(1)
    waiting = run_of(job, 1)
    assert transitions.hold(waiting.pk, "paused")
    assert transitions.release(waiting.pk)
    assert admit(NOON + SECOND) == 0
    assert reload(waiting).state == State.WAITING


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "queue_all", "replace"])
def test_a_run_asked_for_later_stands_in_nobody_s_way_until_then_and_takes_its_turn(overlap: str) -> None:
    job = every_second(overlap)
    later = trigger.run(job.pk, NOON, delay=timedelta(seconds=30))
    assert (later.state, later.reason) == (State.WAITING, "waits for its time")
    tick_at(0)
    assert run_of(job, 0).state == State.SCHEDULED
    assert reload(later).state == State.WAITING
    assert admit(NOON + 29 * SECOND) == 0
    claim = start(run_of(job, 0), NOON + 29 * SECOND)
    assert admit(NOON + 31 * SECOND) == 0, "an earlier run executes"
    assert transitions.succeed(claim.ticket, {}, NOON + 32 * SECOND)
    assert admit(NOON + 32 * SECOND) == 1
    assert reload(later).state == State.SCHEDULED


def test_a_run_asked_for_later_is_simply_due_then_where_runs_may_overlap() -> None:
    job = every_second("allow")
    later = trigger.run(job.pk, NOON, delay=timedelta(seconds=30))
    assert (later.state, later.due_at) == (State.SCHEDULED, NOON + 30 * SECOND)
