"""What an open circuit lets through, and what follows from the probe."""

from collections.abc import Callable
from datetime import datetime

import pytest

from jobs import transitions, trigger
from jobs.births import Birth, new_run_id
from jobs.models import Run
from jobs.models.choices import Circuit
from jobs.settle import settle
from jobs.states import State
from jobs.tick import tick
from jobs.tick_rules.breakers import past_breaker
from tests.circuits import MINUTE, SECOND, circuit_of, fail_at, guarded, opened, tick_at
from tests.endings import end
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_an_open_circuit_skips_ticks_with_the_reason_until_its_pause_is_over() -> None:
    job = opened()
    run = tick_at(job, 5)
    assert run.state == State.SKIPPED
    assert run.reason == "circuit open since 12:05:00 UTC: 2 failures in a row; a probe at 12:10:00 UTC"
    assert [tick_at(job, minute).state for minute in (6, 7, 8, 9)] == [State.SKIPPED] * 4
    probe = tick_at(job, 10)
    assert (probe.state, probe.note) == (
        State.SCHEDULED,
        "the probe of the circuit open since 12:05:00 UTC: 2 failures in a row",
    )
    job.refresh_from_db()
    assert (job.circuit, job.circuit_probe) == (Circuit.HALF_OPEN, probe.pk)


def test_the_moment_at_which_the_pause_is_over_belongs_to_the_probe() -> None:
    job = opened()
    for minute in range(5, 11):
        tick(NOON + minute * MINUTE)
    assert job.runs.filter(trigger="schedule", state=State.SKIPPED).count() == 5
    assert job.runs.get(scheduled_for=NOON + 10 * MINUTE).state == State.SCHEDULED


def test_what_is_put_off_to_a_later_moment_is_not_the_probe() -> None:
    job = opened()
    job.refresh_from_db()
    now = NOON + 10 * MINUTE
    birth = past_breaker(job, Birth(new_run_id(now), job.pk, now, due_at=now + SECOND), now)
    assert birth.state == State.SKIPPED
    assert birth.reason.endswith("what is put off cannot be the probe")
    assert circuit_of(job) == Circuit.OPEN


def test_until_the_probe_has_ended_further_ticks_are_skipped() -> None:
    job = opened()
    probe = tick_at(job, 10)
    run = tick_at(job, 11)
    assert run.state == State.SKIPPED
    assert run.reason.endswith(f"the probe {probe.pk} has not ended")
    assert transitions.hold(probe.pk, "paused by ann")
    assert tick_at(job, 12).state == State.SKIPPED


def test_a_probe_that_succeeds_closes_it_and_the_count_begins_anew() -> None:
    job = opened()
    probe = tick_at(job, 10)
    end(probe, NOON + 10.5 * MINUTE)
    settle(NOON + 10.6 * MINUTE)
    job.refresh_from_db()
    assert (job.circuit, job.circuit_probe) == (Circuit.CLOSED, None)
    assert job.circuit_reason == f"the probe {probe.pk} succeeded"
    assert tick_at(job, 11).state == State.SCHEDULED
    fail_at(job, 700)
    assert circuit_of(job) == Circuit.CLOSED


def test_a_probe_that_fails_opens_it_for_another_pause() -> None:
    job = opened()
    probe = tick_at(job, 10)
    end(probe, NOON + 10.5 * MINUTE, failed=True)
    settle(NOON + 10.5 * MINUTE)
    run = tick_at(job, 11)
    assert run.reason == f"circuit open since 12:10:30 UTC: the probe {probe.pk} failed; a probe at 12:15:30 UTC"
    assert tick_at(job, 15).state == State.SKIPPED
    assert tick_at(job, 16).state == State.SCHEDULED


def cancel(probe: Run, at: datetime) -> None:
    assert transitions.cancel(probe.pk, "by ann", at)


def expire(probe: Run, at: datetime) -> None:
    assert transitions.expire([probe.pk], at) == 1


def delete(probe: Run, at: datetime) -> None:
    probe.delete()


def fail_otherwise(probe: Run, at: datetime) -> None:
    end(probe, at, failed=True, classes=["ValueError"], took=30)


@pytest.mark.parametrize("end_of_probe", [cancel, expire, delete, fail_otherwise])
def test_a_probe_that_says_nothing_is_followed_by_another(end_of_probe: Callable[[Run, datetime], None]) -> None:
    job = guarded(breaker_exceptions="OSError", expires=20)
    fail_at(job, 299, 300, classes=["OSError"])
    end_of_probe(tick_at(job, 10), NOON + 10.6 * MINUTE)
    another = tick_at(job, 11)
    assert another.state == State.SCHEDULED
    job.refresh_from_db()
    assert job.circuit_probe == another.pk
    assert job.circuit_changed_at == NOON + 10 * MINUTE + SECOND, "half open since the first probe"


def test_a_probe_that_may_not_start_beside_an_earlier_run_is_followed_by_another() -> None:
    job = opened(overlap="skip")
    by_hand = trigger.run_now(job.pk, NOON + 9 * MINUTE)
    assert tick_at(job, 10).reason == f"the earlier run {by_hand.pk} had not ended"
    end(by_hand, NOON + 10.5 * MINUTE)
    assert tick_at(job, 11).state == State.SCHEDULED


def test_the_tick_itself_sees_that_the_probe_has_ended() -> None:
    job = opened()
    end(tick_at(job, 10), NOON + 10.5 * MINUTE)
    assert tick_at(job, 11).state == State.SCHEDULED
    assert circuit_of(job) == Circuit.CLOSED


def test_the_probe_of_a_job_in_shards_is_the_whole_tick() -> None:
    job = opened(fan_out="shards", shards=3)
    tick_at(job, 10)
    shards = list(job.runs.filter(scheduled_for=NOON + 10 * MINUTE).order_by("shard"))
    assert [run.state for run in shards] == [State.SCHEDULED] * 3
    end(shards[0], NOON + 10.1 * MINUTE)
    end(shards[1], NOON + 10.2 * MINUTE)
    settle(NOON + 10.3 * MINUTE)
    assert circuit_of(job) == Circuit.HALF_OPEN
    assert tick_at(job, 11).state == State.SKIPPED
    end(shards[2], NOON + 11.1 * MINUTE, failed=True)
    settle(NOON + 11.2 * MINUTE)
    assert circuit_of(job) == Circuit.OPEN


def test_a_shard_that_fails_with_an_exception_that_does_not_count_says_nothing() -> None:
    job = guarded(fan_out="shards", shards=2, breaker_exceptions="OSError")
    fail_at(job, 299, 300, classes=["OSError"])
    tick_at(job, 10)
    first, second = job.runs.filter(scheduled_for=NOON + 10 * MINUTE).order_by("shard")
    end(first, NOON + 10.1 * MINUTE)
    end(second, NOON + 10.2 * MINUTE, failed=True, classes=["ValueError"])
    settle(NOON + 10.3 * MINUTE)
    assert circuit_of(job) == Circuit.CLOSED
