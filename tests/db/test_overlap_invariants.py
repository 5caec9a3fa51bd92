"""Whatever comes in whatever order, also at the same moment: the overlap policy holds at every look at the ledger."""

import random
from datetime import datetime, timedelta

import pytest
from django.db import connection

from jobs import lease, losses, transitions
from jobs.admit import admit
from jobs.models import Job, Run, Worker
from jobs.states import LIVE, State
from jobs.tick import tick
from jobs.trigger import run_now
from tests.connections import together
from tests.factories import NOON, claimant_of, make_worker, planned_job, ticket_of

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = 60
MOST_ACTIVE = {"skip": 1, "queue_one": 1, "queue_all": 1, "replace": 1}
MOST_WAITING = {"skip": 0, "queue_one": 1, "queue_all": 3, "replace": 1}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("overlap", list(MOST_ACTIVE))
def test_the_policy_holds_over_random_lives_of_a_job(overlap: str, seed: int) -> None:
    chance = random.Random(f"{overlap} {seed}")
    job = planned_job(NOON, schedule="* * * * * *", overlap=overlap, overlap_limit=3, grace=60)
    worker = make_worker(NOON)
    now = NOON
    for step in range(STEPS):
        now += timedelta(seconds=chance.choice((0.2, 0.5, 1, 3)))
        lease.renew(worker.pk, 0, draining=False, now=now)
        _step(chance, job, worker, now)
        assert_policy(job, overlap, f"after step {step}")
    assert job.runs.exclude(state=State.SKIPPED).count() > 5, "something happened"


def _step(chance: random.Random, job: Job, worker: Worker, now: datetime) -> None:
    """Two or three things that beats, workers and people do, at the same time on connections of their own."""
    deeds = [
        lambda: tick(now),
        lambda: tick(now),
        lambda: admit(now),
        lambda: admit(now),
        lambda: run_now(job.pk, now),
        lambda: claim_one(job, worker, now),
        lambda: end_one(job, now, chance.random()),
    ]
    together(*chance.sample(deeds, chance.choice((2, 3))))


def claim_one(job: Job, worker: Worker, now: datetime) -> None:
    run = job.runs.filter(state__in=(State.SCHEDULED, State.QUEUED), due_at__lte=now).first()
    if run is not None:
        transitions.claim(ticket_of(run), run.task, claimant_of(worker), 40, now=now)


def end_one(job: Job, now: datetime, luck: float) -> None:
    run = job.runs.filter(state=State.RUNNING).first()
    if run is None:
        return
    if luck < 0.6:
        transitions.succeed(ticket_of(run), {}, now)
    elif luck < 0.8:
        losses.lose(ticket_of(run), "killed", now)
    else:
        transitions.cancel(run.pk, "by ann", now)


def assert_policy(job: Job, overlap: str, when: str) -> None:
    """Asked in one statement, so that it is the ledger of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state <> 'waiting'), count(*) FILTER (WHERE state = 'waiting')"
            "  FROM jobs_run WHERE job_id = %s AND state = ANY(%s)",
            [job.pk, sorted(LIVE)],
        )
        active, waiting = cursor.fetchone()
    assert active <= MOST_ACTIVE[overlap], when
    assert waiting <= MOST_WAITING[overlap], when
    ticks = Run.objects.filter(job=job, trigger="schedule").values_list("scheduled_for", flat=True)
    assert len(ticks) == len(set(ticks)), when
