"""Jobs that run after others: which runs a tick takes along, and what becomes of them when their upstreams end."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import pytest

from jobs.admit import admit
from jobs.births import Birth, insert, new_run_id
from jobs.descend import sweep
from jobs.models import Job, Run
from jobs.states import State, Trigger
from jobs.tick import tick
from tests.connections import locks_held
from tests.factories import NOON, planned_job, running_run, scheduled_run
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def locks_on(job: Job) -> AbstractContextManager[None]:
    """Another beat has the job."""
    return locks_held("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [job.pk])


def told(job: Job, at: datetime = NOON) -> tuple[str, str]:
    run = of(job, at)
    return run.state, run.reason


def test_a_tick_takes_all_jobs_below_along_at_once() -> None:
    root = planned_job(NOON, name="load", schedule="0 * * * *")
    left, right = job_after(root, name="left"), job_after(root, name="right")
    last = job_after(left, right, name="last")
    tick(NOON)
    assert told(left) == (State.WAITING, "waits for the upstream load")
    assert told(last) == (State.WAITING, "waits for the upstreams left and right")
    run = of(last)
    assert (run.trigger, run.upstream, run.expires_at) == (Trigger.UPSTREAM, "pending", None)
    assert (run.interval_start, run.unsettled, of(left).unsettled) == (NOON - HOUR, False, True)
    admit(NOON)
    assert told(last)[0] == State.WAITING, "it waits, whatever the line says"


def test_a_diamond_runs_from_top_to_bottom() -> None:
    root = planned_job(NOON)
    left, right = job_after(root), job_after(root)
    last = job_after(left, right, expires=60)
    tick(NOON)
    end(of(root))
    settle_all()
    assert [of(job).state for job in (left, right, last)] == [State.SCHEDULED, State.SCHEDULED, State.WAITING]
    end(of(left), now=NOON + MINUTE)
    settle_all(NOON + MINUTE)
    assert of(last).state == State.WAITING
    end(of(right), now=NOON + 2 * MINUTE)
    settle_all(NOON + 2 * MINUTE)
    run = of(last)
    assert (run.state, run.upstream, run.due_at) == (State.SCHEDULED, "met", NOON + 2 * MINUTE)
    assert run.expires_at == NOON + 3 * MINUTE, "its start deadline counts from then on"
    assert Run.objects.count() == 4


def test_skips_travel_down_and_say_who_began() -> None:
    root = planned_job(NOON, name="load")
    middle = job_after(root, name="middle")
    lower = job_after(middle, name="lower")
    lowest = job_after(lower, name="lowest")
    tick(NOON)
    end(of(root), "fail")
    settle_all()
    assert told(middle) == (State.SKIPPED, "the upstream load failed: no luck")
    assert told(lower) == (State.SKIPPED, "the upstream middle was skipped: the upstream load failed: no luck")
    assert told(lowest) == (State.SKIPPED, "the upstream lower was skipped: the upstream load failed: no luck")
    assert of(middle).upstream == "unmet"
    assert not Run.objects.filter(unsettled=True).exists()


@pytest.mark.parametrize(
    ("rule", "ends", "state"),
    [
        ("all_succeeded", ("succeed", "succeed"), State.SCHEDULED),
        ("all_succeeded", ("fail", None), State.SKIPPED),
        ("all_succeeded", ("cancel", None), State.SKIPPED),
        ("all_done", ("fail", None), State.WAITING),
        ("all_done", ("fail", "cancel"), State.SCHEDULED),
        ("any_failed", ("fail", None), State.SCHEDULED),
        ("any_failed", ("succeed", None), State.WAITING),
        ("any_failed", ("succeed", "cancel"), State.SKIPPED),
    ],
)
def test_the_rule_decides(rule: str, ends: tuple[str | None, ...], state: State) -> None:
    above = [planned_job(NOON), planned_job(NOON)]
    job = job_after(*above, upstream_rule=rule)
    tick(NOON)
    for one, how in zip(above, ends, strict=True):
        if how:
            end(of(one), how)
    settle_all()
    assert of(job).state == state


def test_a_skipped_tick_above_is_a_skip_below() -> None:
    root = planned_job(NOON, name="load")
    job = job_after(root)
    blocking, _ = running_run(NOON, root)
    tick(NOON)
    settle_all()
    assert root.runs.get(trigger=Trigger.SCHEDULE).state == State.SKIPPED
    assert told(job) == (
        State.SKIPPED,
        f"the upstream load was skipped: the earlier run {blocking.pk} had not ended",
    )


def test_a_tick_is_only_where_all_upstreams_have_one() -> None:
    minutely = planned_job(NOON, schedule="* * * * *", overlap="allow", grace=600)
    hourly = planned_job(NOON, schedule="0 * * * *", overlap="allow", grace=600)
    job = job_after(minutely, hourly)
    below = job_after(job, minutely)
    tick(NOON + 2 * MINUTE)
    assert [run.scheduled_for for run in job.runs.all()] == [NOON]
    assert [run.scheduled_for for run in below.runs.all()] == [NOON]
    assert of(job).interval_start == NOON - HOUR, "where the rarer one has its tick before"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [0, 1])
def test_whichever_upstream_comes_first_the_run_is_born_once(first: int) -> None:
    roots = [planned_job(NOON, schedule="0 * * * *"), planned_job(NOON, schedule="0 12 * * *")]
    middle = job_after(roots[0])
    job = job_after(middle, roots[1])
    late = roots[1 - first]
    with locks_on(late):
        tick(NOON)
        assert [root.runs.count() for root in (roots[first], late)] == [1, 0]
        assert of(job).state == State.WAITING
        assert middle.runs.count() == (1 if first == 0 else 0)
        end(of(roots[first]))
        settle_all()
        assert sweep(NOON) == 0, "the other is still to come"
    tick(NOON)
    assert [one.runs.count() for one in (job, middle, *roots)] == [1, 1, 1, 1]
    for one in (late, middle):
        settle_all()
        end(of(one))
    settle_all()
    assert of(job).state == State.SCHEDULED


def test_an_upstream_whose_tick_was_before_counts_by_its_row() -> None:
    first, second = planned_job(NOON), planned_job(NOON)
    tick(NOON)
    job = job_after(first, second)
    # Only one of them is looked at again: the other is known by its row.
    Run.objects.filter(job=second).delete()
    Job.objects.filter(pk=second.pk).update(next_run_at=NOON)
    tick(NOON)
    assert of(job).state == State.WAITING


def test_without_a_tick_of_a_paused_upstream_there_is_none_below() -> None:
    first, second = planned_job(NOON, overlap="allow"), planned_job(NOON)
    job = job_after(first, second)
    tick(NOON)
    Job.objects.filter(pk=second.pk).update(enabled=False, planned=True, next_run_at=None)
    tick(NOON + MINUTE)
    assert first.runs.count() == 2
    assert [run.scheduled_for for run in job.runs.all()] == [NOON]


def test_paused_jobs_are_not_born_nor_those_below_them() -> None:
    root = planned_job(NOON)
    paused = job_after(root, enabled=False)
    below = job_after(paused)
    job = job_after(root)
    tick(NOON)
    assert (paused.runs.count(), below.runs.count(), job.runs.count()) == (0, 0, 1)


def test_the_bounds_of_a_job_hold_for_it_and_those_below() -> None:
    root = planned_job(NOON)
    later = job_after(root, starts_at=NOON + HOUR)
    below = job_after(later)
    over = job_after(root, ends_at=NOON - HOUR)
    tick(NOON)
    assert [job.runs.count() for job in (later, below, over)] == [0, 0, 0]


def test_a_job_by_hand_at_the_moment_of_a_tick_is_not_the_tick() -> None:
    root = planned_job(NOON, overlap="allow")
    job = job_after(root)
    by_hand = scheduled_run(NOON, root)
    tick(NOON)
    end(by_hand, "fail")
    settle_all()
    assert of(job).state == State.WAITING


def test_a_backfilled_row_of_the_tick_is_its_latest() -> None:
    root = planned_job(NOON)
    job = job_after(root)
    tick(NOON)
    old = end(root.runs.get(), "fail")
    birth = Birth(new_run_id(NOON), root.pk, NOON, trigger=Trigger.RETRY, retry_of=old.pk, due_at=NOON)
    insert([birth], NOON)
    settle_all()
    assert of(job).state == State.WAITING
