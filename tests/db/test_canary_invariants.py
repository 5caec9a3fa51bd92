"""Whatever ends in whatever order, with two beats at once: a canary reverts itself exactly when its rule says so."""

import random
from datetime import datetime, timedelta
from functools import partial

import pytest

from jobs import canaries
from jobs.models import Canary, Job, Run
from jobs.models.choices import CanaryState
from jobs.settle import settle
from jobs.states import State
from jobs.tick import tick
from tests.connections import together
from tests.endings import end
from tests.factories import NOON, planned_job

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
TICKS = 60


@pytest.mark.parametrize("seed", range(6))
def test_it_reverts_when_an_independent_count_says_so_and_not_before(seed: int) -> None:
    chance = random.Random(seed)
    job = planned_job(NOON, overlap="allow", max_retries=0)
    canary = canaries.start(
        Canary(
            job=job,
            percent=50,
            queue="new",
            least_runs=chance.randint(3, 8),
            failure_margin=chance.choice((0, 10, 25)),
            duration_margin=None,
        ),
        "ann",
    )
    Canary.objects.filter(pk=canary.pk).update(created_at=NOON)
    luck = {True: chance.choice((0.05, 0.3, 0.6)), False: chance.choice((0.05, 0.2))}
    for minute in range(TICKS):
        now = NOON + minute * MINUTE
        together(partial(tick, now), partial(tick, now))
        for run in Run.objects.filter(job=job, state=State.SCHEDULED).order_by("scheduled_for"):
            if chance.random() < 0.8:
                end(run, now, failed=chance.random() < luck[run.canary_id is not None])
        wanted = counted_as_worse(canary)
        together(partial(settle, now), partial(settle, now))
        canary.refresh_from_db()
        assert (canary.state == CanaryState.REVERTED) == wanted, f"{minute} minutes after noon"
        if wanted:
            break
    if canary.state == CanaryState.REVERTED:
        assert_all_ticks_are_as_the_job_says(job, NOON + TICKS * MINUTE)


def counted_as_worse(canary: Canary) -> bool:
    """The rule, counted from the rows one by one."""
    ended = [run for run in Run.objects.filter(job=canary.job) if run.state in (State.SUCCEEDED, State.FAILED)]
    own = [run.state == State.FAILED for run in ended if run.canary_id == canary.pk]
    others = [run.state == State.FAILED for run in ended if run.canary_id is None]
    usual = 100 * sum(others) / len(others) if others else 0
    at_best = 100 * sum(own) / max(len(own), canary.least_runs)
    return at_best > usual + canary.failure_margin + 1e-9


def assert_all_ticks_are_as_the_job_says(job: Job, now: datetime) -> None:
    together(partial(tick, now), partial(tick, now))
    after = Run.objects.filter(job=job, created_at=now)
    assert after.exists()
    assert not after.exclude(canary=None).exists()
