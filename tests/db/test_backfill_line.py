"""A backfill beside the live ticks of its job: it stands aside, and nothing is skipped or doubled because of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs import backfill, transitions, trigger
from jobs.admit import admit
from jobs.backfill import advance
from jobs.models import Job, Run
from jobs.states import State
from jobs.tick import tick
from jobs.transitions import Claim
from tests.backfills import HOUR, asked
from tests.factories import NOON, claimant_of, make_worker, planned_job, reload, ticket_of

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
IN_A_LINE = ["skip", "queue_one", "queue_all", "replace"]


def each_minute(overlap: str, **fields: Any) -> Job:
    """A job with a tick each minute, the next one a minute after noon."""
    return planned_job(NOON + MINUTE, schedule="* * * * *", timezone="UTC", overlap=overlap, **fields)


def begin(job: Job, at_once: int = 3) -> int:
    """Start a backfill of the hour before noon, and let the beat make its first runs."""
    begun = backfill.start(job.pk, asked(1, 0, at_once=at_once), "ann", NOON)
    assert advance(NOON).made == at_once
    return begun.pk


def beat(now: datetime) -> None:
    """What a round does but send."""
    tick(now)
    advance(now)
    admit(now)


def first_of(job: Job) -> Run:
    """The backfill's run that was let on."""
    return job.runs.get(backfill__isnull=False, state=State.SCHEDULED)


def execute(run: Run, now: datetime) -> Claim:
    claim = transitions.claim(ticket_of(run), run.task, claimant_of(make_worker(now)), 40, now=now)
    assert claim is not None
    return claim


def live_run(job: Job, minute: int) -> Run:
    return job.runs.get(scheduled_for=NOON + minute * MINUTE, backfill=None)


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_its_runs_wait_and_go_on_one_at_a_time(overlap: str) -> None:
    job = each_minute(overlap)
    begin(job)
    assert set(job.runs.values_list("state", "reason")) == {
        (State.WAITING, "waits for its turn, behind the live ticks")
    }
    assert (admit(NOON), admit(NOON)) == (1, 0)
    claim = execute(first_of(job), NOON)
    assert admit(NOON) == 0
    assert transitions.succeed(claim.ticket, {}, NOON)
    assert admit(NOON) == 1


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_its_waiting_runs_hold_no_live_tick_back(overlap: str) -> None:
    job = each_minute(overlap)
    begin(job)
    beat(NOON + MINUTE)
    assert live_run(job, 1).state == State.SCHEDULED
    assert not job.runs.filter(backfill__isnull=False).exclude(state=State.WAITING).exists()


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_a_live_tick_waits_for_the_run_that_executes_and_is_neither_skipped_nor_run_beside_it(overlap: str) -> None:
    job = each_minute(overlap)
    begin(job)
    admit(NOON)
    executing = first_of(job)
    claim = execute(executing, NOON)
    beat(NOON + MINUTE)
    live = live_run(job, 1)
    assert (live.state, live.reason) == (State.WAITING, f"waits for the backfill's run {executing.pk} to end")
    assert reload(executing).state == State.RUNNING, "it is not replaced either"
    assert transitions.succeed(claim.ticket, {}, NOON + MINUTE)
    beat(NOON + MINUTE + timedelta(seconds=1))
    assert reload(live).state == State.SCHEDULED, "it comes before the backfill's other runs"
    assert job.runs.filter(state__in=(State.SCHEDULED, State.QUEUED, State.RUNNING)).count() == 1


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_a_run_by_hand_comes_before_it_too(overlap: str) -> None:
    job = each_minute(overlap)
    begin(job)
    assert trigger.run_now(job.pk, NOON).state == State.SCHEDULED
    assert admit(NOON) == 0


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_the_delay_before_its_next_attempt_holds_no_live_tick_back(overlap: str) -> None:
    job = each_minute(overlap)
    begin(job, at_once=1)
    admit(NOON)
    claim = execute(first_of(job), NOON)
    assert transitions.try_again(claim.ticket, [State.RUNNING], 90, {"reason": "retry 1 after 90.0 s"}, NOON)
    retrying = reload(claim.ticket.run_id)
    assert (retrying.state, retrying.retrying, retrying.attempt) == (State.WAITING, True, 2)
    beat(NOON + MINUTE)
    live = live_run(job, 1)
    assert live.state == State.SCHEDULED
    assert transitions.hold(live.pk, "paused by bob")
    assert transitions.release(live.pk)
    assert admit(NOON + MINUTE) == 1, "nor one that has to be admitted"
    claim = execute(live, NOON + MINUTE)
    assert transitions.succeed(claim.ticket, {}, NOON + 80 * timedelta(seconds=1))
    assert admit(NOON + 80 * timedelta(seconds=1)) == 0, "its delay is not over"
    assert admit(NOON + 91 * timedelta(seconds=1)) == 1
    assert reload(retrying).state == State.SCHEDULED


@pytest.mark.parametrize("overlap", IN_A_LINE)
def test_a_paused_one_holds_no_live_tick_back(overlap: str) -> None:
    job = each_minute(overlap)
    begun = begin(job)
    admit(NOON)
    backfill.pause(begun, "ann")
    assert set(job.runs.values_list("state", flat=True)) == {State.HELD}
    beat(NOON + MINUTE)
    assert live_run(job, 1).state == State.SCHEDULED
    assert transitions.hold(live_run(job, 1).pk, "paused by bob")
    assert transitions.release(live_run(job, 1).pk)
    assert admit(NOON + MINUTE) == 1, "nor one that has to be admitted"


def test_shards_of_its_tick_go_on_together_and_the_live_tick_waits_for_all() -> None:
    job = each_minute("skip", fan_out="shards", shards=2)
    begun = backfill.start(job.pk, asked(1, 0, at_once=2), "ann", NOON)
    assert advance(NOON).made == 4
    assert admit(NOON) == 2
    first, second = job.runs.filter(state=State.SCHEDULED)
    assert first.group_id == second.group_id
    assert transitions.succeed(execute(first, NOON).ticket, {}, NOON)
    beat(NOON + MINUTE)
    assert set(job.runs.filter(backfill=None).values_list("state", flat=True)) == {State.WAITING}
    assert transitions.succeed(execute(second, NOON + MINUTE).ticket, {}, NOON + MINUTE)
    beat(NOON + MINUTE)
    assert set(job.runs.filter(backfill=None).values_list("state", flat=True)) == {State.SCHEDULED}
    assert job.runs.filter(backfill=begun.pk, state=State.SCHEDULED).count() == 0


def test_where_runs_may_overlap_it_waits_for_nobody() -> None:
    job = each_minute("allow")
    begin(job)
    assert set(job.runs.values_list("state", flat=True)) == {State.SCHEDULED}
    beat(NOON + MINUTE)
    assert live_run(job, 1).state == State.SCHEDULED


def test_ticks_before_the_range_are_none_of_its_business() -> None:
    job = each_minute("skip")
    backfill.start(job.pk, backfill.Asked(NOON - HOUR, NOON - HOUR, why="one tick"), "ann", NOON)
    beat(NOON + MINUTE)
    assert job.runs.filter(backfill__isnull=False).count() == 1
