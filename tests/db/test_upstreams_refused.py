"""Upstreams that make no sense, cycles, and what the walks over the jobs below cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import transitions, trigger
from jobs.descend import sweep
from jobs.models import Job, Run, Upstream
from jobs.models.job_graph import Edge
from jobs.states import LIVE, State
from jobs.tick import tick
from jobs.tick_rules.families import Family
from tests.factories import NOON, make_job, planned_job
from tests.family import job_after, settle_all

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


class TestRefused:
    """What makes no sense is refused when it is saved."""

    def refused(self, **fields: Any) -> dict[str, list[str]]:
        job = job_after(make_job())
        for name, value in fields.items():
            setattr(job, name, value)
        with pytest.raises(ValidationError) as caught:
            job.full_clean()
        return caught.value.message_dict

    def test_a_schedule_beside_upstreams(self) -> None:
        assert self.refused(schedule="@daily") == {
            "schedule": ["a job that runs after others has the schedule @after; remove its upstreams first"]
        }
        with pytest.raises(ValidationError, match="has the schedule @after, not @daily"):
            Upstream(job=make_job(schedule="@daily"), upstream=make_job()).save()

    def test_a_jitter_on_it(self) -> None:
        assert "has no ticks of its own" in self.refused(jitter=5)["jitter"][0]

    def test_a_job_for_after_or_by_hand_is_fine(self) -> None:
        job_after(make_job()).full_clean()
        make_job(schedule="@AFTER", templated=True, args=["{interval_start} {scheduled_for}"]).full_clean()

    def test_a_cycle_is_named(self) -> None:
        first = job_after(name="a")
        second = job_after(first, name="b")
        third = job_after(second, name="c")
        job_after(third, name="d")
        with pytest.raises(ValidationError) as caught:
            Upstream(job=first, upstream=third).full_clean()
        assert caught.value.message_dict == {"upstream": ["this makes a cycle: a → b → c → a"]}
        with pytest.raises(ValidationError, match="a → b → c → a"):
            Upstream.objects.create(job=first, upstream=third)

    def test_itself_and_twice(self) -> None:
        job, upstream = job_after(name="a"), make_job()
        with pytest.raises(ValidationError, match="a cannot run after itself"):
            Upstream(job=job, upstream=job).full_clean()
        Upstream.objects.create(job=job, upstream=upstream)
        with pytest.raises(ValidationError, match="it runs after that already"):
            Upstream(job=job, upstream=upstream).full_clean()


def test_a_cycle_that_came_past_the_checks_ends_no_walk_and_makes_no_runs() -> None:
    root = planned_job(NOON)
    first = job_after(root)
    second = job_after(first)
    below = job_after(second)
    Upstream.objects.bulk_create([Upstream(job=first, upstream=second)])
    tick(NOON)
    assert Run.objects.count() == 1
    settle_all()
    run = trigger.run(root.pk, NOON + HOUR, children=True)
    if run.state in LIVE:
        transitions.cancel(run.pk, "by ann", NOON)
    settle_all()
    sweep(NOON)
    assert not Run.objects.filter(job__in=(first, second, below), state=State.SCHEDULED).exists()


def test_long_chains_do_not_run_out_of_stack() -> None:
    jobs = {pk: Job(pk=pk, name=f"job {pk}", schedule="@after" if pk else "@daily") for pk in range(5000)}
    family = Family(jobs, [Edge(pk, pk - 1) for pk in range(1, 5000)])
    assert family.lineages[4999].roots == {0}


def test_jobs_with_nothing_below_cost_one_question_a_batch(django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        planned_job(NOON)
    with django_assert_max_num_queries(12):
        tick(NOON)


def test_the_statements_do_not_grow_with_the_ticks() -> None:
    counts = []
    for number in (1, 20):
        for _ in range(number):
            job_after(planned_job(NOON), planned_job(NOON))
        with CaptureQueriesContext(connection) as counted:
            tick(NOON)
        counts.append(len(counted))
    assert counts[0] == counts[1]
