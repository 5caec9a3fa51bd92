"""Jobs that run after others, when two people, beats or workers do something in the same instant."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from jobs import trigger
from jobs.admit import admit
from jobs.models import Job, Run, Upstream
from jobs.models.job_graph import downwards, edges_below, wait_for_other_edits
from jobs.policies.upstream import path
from jobs.settle import settle
from jobs.states import State, Trigger
from jobs.tick import tick
from tests.connections import on_own_connection, threads, together, wait_until_blocked
from tests.factories import NOON, make_job, make_worker, planned_job
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


def test_a_diamond_whose_parents_finish_in_the_same_instant_runs_its_end_once() -> None:
    worker = make_worker(NOON)
    root = planned_job(NOON, overlap="allow")
    left, right = job_after(root, overlap="allow"), job_after(root, overlap="allow")
    last = job_after(left, right, overlap="allow")
    for number in range(ROUNDS):
        now = NOON + timedelta(minutes=number)
        tick(now)
        end(of(root, now), now=now, worker=worker)
        settle_all(now)
        runs = [of(left, now), of(right, now)]
        together(
            *(partial(end, run, now=now, worker=worker) for run in runs),
            partial(settle, now),
            partial(settle, now),
            partial(admit, now),
        )
        together(partial(settle, now), partial(settle, now), partial(admit, now))
        settle_all(now)
        run = last.runs.get(scheduled_for=now)
        assert (run.state, run.upstream) == (State.SCHEDULED, "met")


def test_a_settling_that_waits_for_the_other_finds_both_ends() -> None:
    """Neither of two that each saw one parent's end may believe that the other is still to come."""
    above = [planned_job(NOON), planned_job(NOON)]
    job = job_after(*above)
    tick(NOON)
    end(of(above[0]))
    with transaction.atomic():
        list(Job.objects.select_for_update().filter(pk=job.pk))
        end_elsewhere = [lambda: end(of(above[1])), lambda: settle(NOON)]
        for step in end_elsewhere:
            with threads(1) as pool:
                pool.submit(on_own_connection, step).result(20)
        assert of(job).state == State.WAITING
    assert Run.objects.unsettled().count() == 2, "left to the next round, as the job was locked"
    settle_all()
    assert of(job).state == State.SCHEDULED


def test_two_beats_take_the_same_jobs_along_once() -> None:
    roots = [planned_job(NOON, overlap="allow") for _ in range(6)]
    children = [job_after(*roots, overlap="allow") for _ in range(6)]
    last = job_after(*reversed(children))
    for number in range(ROUNDS):
        now = NOON + timedelta(minutes=number)
        halves = roots[::2], roots[1::2]
        together(*(partial(tick_of, half, now) for half in halves))
        for job in (*children, last):
            assert job.runs.filter(scheduled_for=now).count() == 1


def tick_of(jobs: list[Job], now: datetime) -> None:
    """A beat that finds just these due, as the others are locked by another one."""
    with transaction.atomic():
        list(Job.objects.select_for_update().filter(pk__in=[job.pk for job in jobs]).order_by("pk"))
        tick(now)


def test_two_edits_that_together_make_a_cycle_are_not_both_taken() -> None:
    for number in range(5):
        one, other = job_after(name=f"one {number}"), job_after(name=f"other {number}")
        pairs = ((one, other), (other, one))
        told = together(*(lambda pair=pair: saved(*pair) for pair in pairs))
        assert sorted(told) == [False, True]
        assert not path(downwards(edges_below([one.pk])), one.pk, one.pk)[1:]
        assert Upstream.objects.filter(job__in=(one, other)).count() == 1


def saved(job: Job, upstream: Job) -> bool:
    try:
        Upstream.objects.create(job=job, upstream=upstream)
    except ValidationError as error:
        if "this makes a cycle" not in str(error):
            raise
        return False
    return True


def test_an_edit_waits_for_one_that_has_not_been_committed() -> None:
    job, upstream = job_after(), make_job()
    with threads(1) as pool:
        with transaction.atomic():
            wait_for_other_edits()
            future = pool.submit(on_own_connection, lambda: saved(job, upstream))
            wait_until_blocked("SELECT pg_advisory_xact_lock")
        assert future.result(10)


def test_retrying_two_failed_parents_at_once_wakes_the_child_once() -> None:
    worker = make_worker(NOON)
    above = [planned_job(NOON, overlap="allow"), planned_job(NOON, overlap="allow")]
    middle = job_after(*above, overlap="allow")
    last = job_after(middle, overlap="allow")
    for number in range(ROUNDS):
        now = NOON + timedelta(minutes=number)
        tick(now)
        failed = [end(of(job, now), "fail", now, worker) for job in above]
        settle_all(now)
        together(*(partial(trigger.retry_run, run.pk, now) for run in (*failed, *failed)))
        for job in (middle, last):
            assert job.runs.filter(scheduled_for=now, trigger=Trigger.RETRY).count() == 1


def test_retries_and_ticks_and_settlings_do_not_block_each_other_for_ever() -> None:
    worker = make_worker(NOON)
    root = planned_job(NOON, overlap="allow")
    layer = [job_after(root, overlap="allow") for _ in range(4)]
    last = job_after(*layer, overlap="allow")
    for number in range(ROUNDS):
        now = NOON + timedelta(minutes=number)
        tick(now)
        failed = end(of(root, now), "fail", now, worker)
        together(
            partial(trigger.retry_run, failed.pk, now),
            partial(settle, now),
            partial(tick, now + timedelta(minutes=1)),
            partial(trigger.run, layer[0].pk, now, children=True),
            partial(settle, now),
        )
        settle_all(now)
        again = root.runs.get(scheduled_for=now, trigger=Trigger.RETRY)
        end(again, now=now, worker=worker)
        settle_all(now)
        assert {of(job, now).state for job in layer} == {State.SCHEDULED}
        assert of(last, now).state == State.WAITING
