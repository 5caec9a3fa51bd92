"""The circuit breaker of a pool: it holds all its jobs, tries one run after its pause, and lets them go on in order."""

from datetime import timedelta
from typing import Any

import pytest

from jobs import breakers, circuits, transitions
from jobs.admit import admit
from jobs.models import Job, Pool, Run
from jobs.models.choices import Circuit
from jobs.settle import settle
from jobs.states import State
from tests.connections import together
from tests.endings import end, ended_run
from tests.factories import NOON, planned_job, reload, scheduled_run

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def guarded(**fields: Any) -> tuple[Pool, Job, Job]:
    """A pool whose breaker opens after two failures in a row, with two jobs."""
    pool = Pool.objects.create(name="erp", **{"breaker_failures": 2, "breaker_pause": 60} | fields)
    first, second = (planned_job(NOON, pool=pool, overlap="allow") for _ in range(2))
    return pool, first, second


def opened(**fields: Any) -> tuple[Pool, Job, Job]:
    """One whose circuit has been open since two seconds after noon."""
    pool, first, second = guarded(**fields)
    ended_run(first, NOON + SECOND, failed=True)
    ended_run(second, NOON + 2 * SECOND, failed=True)
    settle(NOON + 2 * SECOND)
    assert of(pool).circuit == Circuit.OPEN
    return pool, first, second


def of(pool: Pool) -> Pool:
    return Pool.objects.get(pk=pool.pk)


def waiting(*jobs: Job) -> list[Run]:
    """A run of each that waits, the one that is due first before the others."""
    return [scheduled_run(NOON + place * SECOND, job) for place, job in enumerate(jobs)]


def states(runs: list[Run]) -> list[str]:
    return [reload(run).state for run in runs]


def test_the_failures_of_all_its_jobs_count_and_it_says_why() -> None:
    pool = of(opened()[0])
    assert pool.circuit_reason == "2 failures in a row"
    assert pool.circuit_changed_at == NOON + 2 * SECOND


def test_the_runs_of_other_pools_do_not_count() -> None:
    pool, first, _ = guarded()
    ended_run(first, NOON + SECOND, failed=True)
    other = Pool.objects.create(name="other", breaker_failures=5)
    ended_run(planned_job(NOON, pool=other), NOON + 2 * SECOND, failed=True)
    ended_run(planned_job(NOON), NOON + 2 * SECOND, failed=True)
    settle(NOON + 3 * SECOND)
    assert of(pool).circuit == Circuit.CLOSED


def test_it_holds_all_its_jobs_then_tries_one_run_and_lets_them_go_on_in_order() -> None:
    pool, first, second = opened(slots=2)
    runs = waiting(first, second, first)
    settle(NOON + 50 * SECOND)
    assert admit(NOON + 50 * SECOND) == 0
    settle(NOON + 62 * SECOND)
    assert (of(pool).circuit, of(pool).circuit_probe) == (Circuit.HALF_OPEN, None)
    assert admit(NOON + 62 * SECOND) == 1
    assert states(runs) == [State.SCHEDULED, State.WAITING, State.WAITING]
    assert of(pool).circuit_probe == runs[0].pk
    assert admit(NOON + 63 * SECOND) == 0, "the probe has not ended"
    end(reload(runs[0]), NOON + 70 * SECOND)
    settle(NOON + 70 * SECOND)
    assert (of(pool).circuit, of(pool).circuit_probe) == (Circuit.CLOSED, None)
    assert of(pool).circuit_reason == f"the probe {runs[0].pk} succeeded"
    assert admit(NOON + 70 * SECOND) == 2
    assert states(runs) == [State.SUCCEEDED, State.SCHEDULED, State.SCHEDULED]


def test_a_probe_that_fails_opens_it_again() -> None:
    pool, first, second = opened()
    runs = waiting(first, second)
    settle(NOON + 62 * SECOND)
    admit(NOON + 62 * SECOND)
    end(reload(runs[0]), NOON + 70 * SECOND, failed=True)
    settle(NOON + 70 * SECOND)
    assert (of(pool).circuit, of(pool).circuit_changed_at) == (Circuit.OPEN, NOON + 70 * SECOND)
    settle(NOON + 129 * SECOND)
    assert admit(NOON + 129 * SECOND) == 0
    settle(NOON + 130 * SECOND)
    assert admit(NOON + 130 * SECOND) == 1


def test_a_probe_that_is_tried_again_is_still_the_probe() -> None:
    _, first, second = opened()
    runs = waiting(first, second)
    settle(NOON + 62 * SECOND)
    admit(NOON + 62 * SECOND)
    ticket = transitions.Ticket(runs[0].pk, 1)
    assert transitions.queue([ticket], NOON + 63 * SECOND, 30) == 1
    assert transitions.try_again(ticket, [State.QUEUED], 5, {"reason": "again"}, NOON + 63 * SECOND)
    assert states(runs) == [State.WAITING, State.WAITING]
    settle(NOON + 64 * SECOND)
    assert admit(NOON + 64 * SECOND) == 0
    assert admit(NOON + 69 * SECOND) == 1
    assert states(runs) == [State.SCHEDULED, State.WAITING]


@pytest.mark.parametrize("gone", ["cancelled", "deleted"])
def test_a_probe_that_says_nothing_is_followed_by_another(gone: str) -> None:
    pool, first, second = opened()
    runs = waiting(first, second)
    settle(NOON + 62 * SECOND)
    admit(NOON + 62 * SECOND)
    if gone == "cancelled":
        transitions.cancel(runs[0].pk, "by ann", NOON + 63 * SECOND)
    else:
        Run.objects.filter(pk=runs[0].pk).delete()
    settle(NOON + 64 * SECOND)
    assert (of(pool).circuit, of(pool).circuit_probe) == (Circuit.HALF_OPEN, None)
    assert admit(NOON + 64 * SECOND) == 1
    assert of(pool).circuit_probe == runs[1].pk


def test_a_probe_from_before_the_pool_had_a_breaker_counts_too() -> None:
    pool, first, _ = guarded(breaker_failures=None)
    run = waiting(first)[0]
    assert not run.unsettled
    Pool.objects.filter(pk=pool.pk).update(breaker_failures=2, circuit=Circuit.OPEN, circuit_changed_at=NOON)
    settle(NOON + 62 * SECOND)
    admit(NOON + 62 * SECOND)
    end(reload(run), NOON + 63 * SECOND)
    settle(NOON + 64 * SECOND)
    assert of(pool).circuit == Circuit.CLOSED


def test_switched_off_it_is_closed_and_a_form_that_was_open_does_not_undo_its_work() -> None:
    pool, first, _ = opened()
    pool.description = "edited"
    pool.save()
    assert of(pool).circuit == Circuit.OPEN
    pool.breaker_failures = None
    pool.save()
    settle(NOON + 3 * SECOND)
    assert (of(pool).circuit, of(pool).circuit_reason) == (Circuit.CLOSED, "its breaker was switched off")
    waiting(first)
    assert admit(NOON + 3 * SECOND) == 1


def test_it_is_closed_by_hand() -> None:
    pool, first, _ = opened()
    runs = waiting(first)
    assert breakers.close(pool, "ann", NOON + 3 * SECOND)
    assert of(pool).circuit_reason == "closed by ann"
    assert admit(NOON + 3 * SECOND) == 1
    assert states(runs) == [State.SCHEDULED]


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_choose_one_probe() -> None:
    pool, first, second = opened(slots=5)
    runs = waiting(*[first, second] * 5)
    at = NOON + 62 * SECOND
    for _ in range(3):
        together(lambda: settle(at), lambda: settle(at), lambda: admit(at), lambda: admit(at))
    assert states(runs).count(State.SCHEDULED) == 1
    assert reload(of(pool).circuit_probe or runs[0]).state == State.SCHEDULED
    assert circuits.told(of(pool), at).startswith("circuit half open since 12:01:02 UTC: 2 failures in a row")
