"""Retries that wake the jobs below, and runs by hand that take them along."""

from datetime import timedelta

import pytest

from jobs import control, transitions, trigger
from jobs.models import Job, Run
from jobs.states import State, Trigger
from jobs.tick import tick
from tests.factories import NOON, planned_job, reload, running_run
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class TestRetry:
    """Retrying what failed wakes those below."""

    def failed(self) -> tuple[Job, Job, Job]:
        root = planned_job(NOON)
        middle = job_after(root)
        last = job_after(middle)
        tick(NOON)
        end(of(root), "fail")
        settle_all()
        return root, middle, last

    def test_all_that_were_skipped_wait_again(self) -> None:
        root, middle, last = self.failed()
        old = of(middle)
        trigger.retry_run(of(root).pk, NOON + MINUTE)
        again = of(middle)
        assert (again.retry_of, again.trigger, again.upstream) == (old.pk, Trigger.RETRY, "pending")
        assert again.interval_start == old.interval_start
        assert reload(old).state == State.SKIPPED
        for job in (root, middle, last):
            end(of(job), now=NOON + MINUTE)
            settle_all(NOON + MINUTE)
        assert [job.runs.count() for job in (root, middle, last)] == [2, 2, 2]

    def test_if_it_fails_again_they_are_skipped_again(self) -> None:
        root, middle, last = self.failed()
        trigger.retry_run(of(root).pk, NOON + MINUTE)
        end(of(root), "fail", now=NOON + MINUTE)
        settle_all(NOON + MINUTE)
        assert [of(job).state for job in (middle, last)] == [State.SKIPPED] * 2
        assert [of(job).trigger for job in (middle, last)] == [Trigger.RETRY] * 2

    def test_twice_is_once(self) -> None:
        root, middle, last = self.failed()
        old = of(root)
        trigger.retry_run(old.pk, NOON + MINUTE)
        trigger.retry_run(old.pk, NOON + MINUTE)
        assert [job.runs.count() for job in (middle, last)] == [2, 2]

    def test_what_ran_is_left_alone_with_all_below(self) -> None:
        root = planned_job(NOON)
        cleanup = job_after(root, upstream_rule="all_done")
        below = job_after(cleanup)
        tick(NOON)
        end(of(root), "fail")
        settle_all()
        end(of(cleanup), "fail")
        settle_all()
        trigger.retry_run(of(root).pk, NOON + MINUTE)
        assert [job.runs.count() for job in (cleanup, below)] == [1, 1]

    def test_before_the_skip_was_written_the_run_waits_on(self) -> None:
        root = planned_job(NOON)
        job = job_after(root)
        tick(NOON)
        failed = end(of(root), "fail")
        trigger.retry_run(failed.pk, NOON + MINUTE)
        settle_all(NOON + MINUTE)
        assert (of(job).state, job.runs.count()) == (State.WAITING, 1)
        end(of(root), now=NOON + MINUTE)
        settle_all(NOON + MINUTE)
        assert of(job).state == State.SCHEDULED

    def test_one_shard_of_several(self) -> None:
        root = planned_job(NOON, fan_out="shards", shards=2)
        job = job_after(root, fan_out="shards", shards=2)
        tick(NOON)
        good, bad = root.runs.order_by("shard")
        end(bad, "fail")
        end(good)
        settle_all()
        assert job.runs.filter(state=State.SKIPPED).count() == 2
        again = trigger.retry_run(bad.pk, NOON + MINUTE)
        end(again, now=NOON + MINUTE)
        settle_all(NOON + MINUTE)
        woken = job.runs.filter(trigger=Trigger.RETRY)
        assert [run.state for run in woken] == [State.SCHEDULED] * 2
        assert len({run.group_id for run in woken}) == 1

    def test_a_run_by_hand_at_the_same_moment_is_not_the_tick(self) -> None:
        root, middle, _ = self.failed()
        other = trigger.run(root.pk, NOON - HOUR, at=NOON)
        end(other, now=NOON) if other.state == State.SCHEDULED else transitions.cancel(other.pk, "by ann", NOON)
        trigger.retry_run(other.pk, NOON + MINUTE)
        assert middle.runs.count() == 1


class TestByHand:
    """Runs by hand may take the jobs below along."""

    def tree(self) -> tuple[Job, Job, Job, Job]:
        root, outside = planned_job(NOON, name="root"), planned_job(NOON, name="outside")
        middle = job_after(root, name="middle")
        return root, outside, middle, job_after(middle, outside, name="last")

    def test_they_are_left_unless_asked_for(self) -> None:
        root, *_ = self.tree()
        run = trigger.run(root.pk, NOON)
        assert (Run.objects.count(), run.origin) == (1, None)

    def test_they_follow_by_their_rules_and_upstreams_outside_take_no_part(self) -> None:
        root, _, middle, last = self.tree()
        run = trigger.run(root.pk, NOON, children=True, args=[7, 8])
        rows = Run.objects.filter(origin=run.pk)
        assert {row.job_id: (row.trigger, row.upstream, row.state) for row in rows.exclude(pk=run.pk)} == {
            middle.pk: (Trigger.MANUAL, "pending", State.WAITING),
            last.pk: (Trigger.MANUAL, "pending", State.WAITING),
        }
        assert of(last).reason == "waits for the upstream middle"
        assert of(last).args == last.args
        assert of(last).interval_start == NOON - MINUTE
        for job in (root, middle, last):
            end(of(job))
            settle_all()
        assert Run.objects.filter(state=State.SUCCEEDED).count() == 3

    def test_the_trees_of_two_runs_are_apart(self) -> None:
        root, _, middle, _ = self.tree()
        Job.objects.filter(pk=root.pk).update(overlap="allow")
        first, second = trigger.run_many(root.pk, [trigger.Request(children=True)] * 2, NOON)
        end(first, "fail")
        end(second)
        settle_all()
        assert middle.runs.get(origin=first.pk).state == State.SKIPPED
        assert middle.runs.get(origin=second.pk).state == State.SCHEDULED

    def test_the_same_key_takes_them_along_once(self) -> None:
        root, *_ = self.tree()
        for _ in range(2):
            trigger.run(root.pk, NOON, children=True, idempotency_key="once")
        assert Run.objects.count() == 3

    def test_paused_ones_stay_and_so_do_those_below_them(self) -> None:
        root, _, middle, _ = self.tree()
        control.pause_job(middle.pk)
        trigger.run(root.pk, NOON, children=True)
        assert Run.objects.count() == 1

    def test_a_skipped_run_skips_them(self) -> None:
        root, _, middle, last = self.tree()
        running_run(NOON, root)
        assert trigger.run(root.pk, NOON, children=True).state == State.SKIPPED
        settle_all()
        assert [of(job).state for job in (middle, last)] == [State.SKIPPED] * 2

    def test_a_retry_wakes_the_same_tree(self) -> None:
        root, _, middle, last = self.tree()
        run = trigger.run(root.pk, NOON, children=True)
        end(run, "fail")
        settle_all()
        again = trigger.retry_run(run.pk, NOON + MINUTE)
        assert again.origin == run.pk
        for job in (root, middle, last):
            end(of(job), now=NOON + MINUTE)
            settle_all(NOON + MINUTE)
        assert [of(job).origin for job in (root, middle, last)] == [run.pk] * 3

    def test_shards_of_the_root_are_one_tree(self) -> None:
        root, _, middle, _ = self.tree()
        Job.objects.filter(pk=root.pk).update(fan_out="shards", shards=2)
        run = trigger.run(root.pk, NOON, children=True)
        shards = list(Run.objects.filter(job=root))
        assert {shard.origin for shard in shards} == {run.pk}
        end(shards[0])
        settle_all()
        assert of(middle).state == State.WAITING
        end(shards[1])
        settle_all()
        assert of(middle).state == State.SCHEDULED
