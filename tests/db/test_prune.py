"""Prune: finished runs go when their job's time for them is over, and nothing else goes."""

from datetime import timedelta

import pytest

from jobs.finish import finish
from jobs.models import Attempt, Run
from jobs.policies.outcomes import Failed
from jobs.prune import prune
from jobs.states import LIVE, TERMINAL, State
from tests.factories import NOON, make_job, run_in, running_run

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def finished_run(keep: int, age: timedelta) -> Run:
    run = run_in(State.SUCCEEDED)
    run.job.keep = keep
    run.job.save()
    Run.objects.filter(pk=run.pk).update(finished_at=NOON - age)
    return run


def test_a_run_goes_when_it_is_older_than_its_own_job_keeps_it() -> None:
    finished_run(1, DAY + timedelta(seconds=1))
    finished_run(30, 31 * DAY)
    kept = {finished_run(1, DAY).pk, finished_run(30, 29 * DAY).pk}
    assert prune(NOON) == 2
    assert set(Run.objects.values_list("pk", flat=True)) == kept


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_run_stays_however_old_it_is(state: State) -> None:
    run_in(state)
    assert prune(NOON + 5000 * DAY) == 0
    assert Run.objects.count() == 1


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_every_end_is_pruned(state: State) -> None:
    run_in(state)
    assert prune(NOON + 31 * DAY) == 1


def test_the_attempts_go_with_their_run() -> None:
    _, claim = running_run(retry_policy="none")
    finish(claim, Failed("ValueError"), NOON)
    assert Attempt.objects.exists()
    assert prune(NOON + 31 * DAY) == 1
    assert not Attempt.objects.exists()


def test_more_than_a_batch_goes_too() -> None:
    for _ in range(7):
        finished_run(1, 2 * DAY)
    assert prune(NOON, batch=3) == 7
    assert prune(NOON, batch=3) == 0


def test_a_system_without_jobs_has_nothing_to_prune() -> None:
    assert prune(NOON) == 0
    make_job()
    assert prune(NOON) == 0
