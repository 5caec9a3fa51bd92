"""What becomes of runs whose upstreams have ended, or of which nothing is heard any more."""

from datetime import datetime, timedelta

import pytest

from jobs import control, trigger
from jobs.admin.job_deletion import delete_jobs
from jobs.admit import admit
from jobs.descend import sweep
from jobs.models import Job, Run
from jobs.rescue import rescue
from jobs.states import State, Trigger
from jobs.tick import tick
from tests.factories import NOON, make_worker, planned_job, reload, running_run
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def told(job: Job, at: datetime = NOON) -> tuple[str, str]:
    run = of(job, at)
    return run.state, run.reason


def test_shards_are_joined_before_the_job_and_its_own_go_on_together() -> None:
    root = planned_job(NOON, fan_out="shards", shards=3)
    job = job_after(root, fan_out="shards", shards=2)
    tick(NOON)
    shards = list(root.runs.order_by("shard"))
    for run in shards[:2]:
        end(run)
    settle_all()
    assert [run.state for run in job.runs.all()] == [State.WAITING] * 2
    end(shards[2])
    settle_all()
    assert [run.state for run in job.runs.all()] == [State.SCHEDULED] * 2
    assert len({run.group_id for run in job.runs.all()}) == 1


@pytest.mark.parametrize(
    ("overlap", "state", "words"),
    [
        ("allow", State.SCHEDULED, ""),
        ("skip", State.SKIPPED, "had not ended"),
        ("queue_all", State.WAITING, "waits for the run"),
        ("replace", State.WAITING, "waits for the process"),
    ],
)
def test_the_overlap_policy_decides_when_the_upstreams_have_ended(overlap: str, state: State, words: str) -> None:
    root = planned_job(NOON)
    job = job_after(root, overlap=overlap)
    tick(NOON)
    earlier, _ = running_run(NOON, job, make_worker(NOON))
    end(of(root))
    settle_all()
    run = job.runs.get(trigger=Trigger.UPSTREAM)
    assert (run.state, words in run.reason) == (state, True)
    assert reload(earlier).state == (State.CANCELLED if overlap == "replace" else State.RUNNING)


def test_two_ticks_let_go_on_at_once_obey_the_policy() -> None:
    root = planned_job(NOON, overlap="allow", grace=600)
    job = job_after(root, overlap="skip")
    tick(NOON + MINUTE)
    for run in root.runs.all():
        end(run, now=NOON + MINUTE)
    settle_all(NOON + MINUTE)
    states = list(job.runs.order_by("scheduled_for").values_list("state", flat=True))
    assert states == [State.SCHEDULED, State.SKIPPED]
    assert of(job, NOON + MINUTE).upstream == "met"


def test_runs_that_wait_for_upstreams_stand_in_nobodys_way() -> None:
    root = planned_job(NOON)
    job = job_after(root, overlap="skip")
    tick(NOON)
    assert trigger.run_now(job.pk, NOON).state == State.SCHEDULED


def test_a_limited_job_waits_for_its_slot_after_its_upstreams() -> None:
    root = planned_job(NOON)
    job = job_after(root, max_running=1, overlap="allow")
    tick(NOON)
    assert told(job)[1].startswith("waits for the upstream")
    end(of(root))
    settle_all()
    run = of(job)
    assert (run.upstream, run.limited) == ("met", True)


def test_a_paused_run_goes_on_when_it_is_resumed() -> None:
    root = planned_job(NOON)
    job = job_after(root)
    tick(NOON)
    assert control.pause_run(of(job).pk, "ann")
    end(of(root))
    settle_all()
    assert of(job).state == State.HELD
    assert control.resume_run(of(job).pk)
    admit(NOON)
    assert of(job).state == State.WAITING, "nobody has decided yet"
    assert sweep(NOON) == 1
    admit(NOON)
    assert of(job).state == State.SCHEDULED


def test_one_paused_shard_follows_the_others_though_they_have_not_ended() -> None:
    root = planned_job(NOON)
    job = job_after(root, fan_out="shards", shards=2, overlap="skip")
    tick(NOON)
    paused = job.runs.get(shard=1)
    assert control.pause_run(paused.pk, "ann")
    end(of(root))
    settle_all()
    assert control.resume_run(paused.pk)
    sweep(NOON)
    admit(NOON)
    assert [run.state for run in job.runs.order_by("shard")] == [State.SCHEDULED] * 2


def test_a_breaker_that_is_open_skips_the_run() -> None:
    root = planned_job(NOON)
    job = job_after(root, name="job", breaker_failures=1, breaker_pause=600)
    trigger.run_now(job.pk, NOON)
    end(of(job), "fail")
    settle_all()
    tick(NOON)
    end(of(root))
    settle_all()
    run = job.runs.get(trigger=Trigger.UPSTREAM)
    assert run.state == State.SKIPPED
    assert "circuit" in run.reason


class TestSweep:
    """What nobody hears of any more."""

    def pending(self) -> tuple[Job, Job, Job]:
        first, second = planned_job(NOON, name="first"), planned_job(NOON, name="second")
        job = job_after(first, second)
        tick(NOON)
        return first, second, job

    def test_nothing_is_decided_too_early(self) -> None:
        first, second, job = self.pending()
        end(of(first))
        assert sweep(NOON) == 0
        end(of(second))
        assert sweep(NOON) == 0, "their ends are to be settled"
        settle_all()
        assert of(job).state == State.SCHEDULED

    def test_a_deleted_upstream_has_no_say(self) -> None:
        first, second, job = self.pending()
        end(of(first))
        settle_all()
        delete_jobs([second.pk])
        assert sweep(NOON) == 1
        assert of(job).upstream == "met"

    def test_without_any_upstream_it_is_skipped(self) -> None:
        first, second, job = self.pending()
        delete_jobs([first.pk, second.pk])
        assert rescue(NOON, lambda queues: dict.fromkeys(queues, 0)).descended == 1
        assert told(job) == (State.SKIPPED, "it has no upstreams any more")

    def test_pruned_rows_have_no_say(self) -> None:
        first, second, job = self.pending()
        end(of(first))
        settle_all()
        Run.objects.filter(job=second).delete()
        assert sweep(NOON) == 1
        assert of(job).upstream == "met"

    def test_all_rows_gone(self) -> None:
        first, second, job = self.pending()
        Run.objects.filter(job__in=(first, second)).delete()
        assert sweep(NOON) == 1
        assert told(job) == (State.SKIPPED, "the upstreams first and second had no run for this tick")

    def test_a_tick_that_is_still_to_come_is_waited_for(self) -> None:
        first, second, job = self.pending()
        end(of(first))
        settle_all()
        Run.objects.filter(job=second).delete()
        Job.objects.filter(pk=second.pk).update(next_run_at=NOON)
        assert sweep(NOON) == 0
        assert of(job).state == State.WAITING

    def test_an_edited_rule_holds(self) -> None:
        first, second, job = self.pending()
        end(of(first), "fail")
        Job.objects.filter(pk=job.pk).update(upstream_rule="all_done")
        settle_all()
        assert of(job).state == State.WAITING
        end(of(second))
        settle_all()
        assert of(job).state == State.SCHEDULED

    def test_an_end_that_nobody_marked_is_found(self) -> None:
        first, second, job = self.pending()
        Run.objects.update(unsettled=False)
        end(of(first))
        end(of(second))
        settle_all()
        assert of(job).state == State.WAITING
        assert sweep(NOON) == 1
