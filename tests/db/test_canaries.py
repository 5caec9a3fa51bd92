"""Canaries on the real ledger: which ticks are theirs, by what definition, and when they end."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from jobs import canaries
from jobs.births import Birth, new_run_id
from jobs.models import Canary, Job, Run
from jobs.models.choices import CanaryState, Circuit
from jobs.policies.canary import Figures, takes
from jobs.settle import settle
from jobs.tick import tick
from jobs.tick_rules.canaries import by
from tests.connections import together
from tests.endings import end
from tests.factories import NOON, make_job, planned_job

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def tried_job(**fields: Any) -> Job:
    """A job with a tick each minute from noon on."""
    return planned_job(NOON, overlap="allow", **fields)


def started(job: Job, **fields: Any) -> Canary:
    """A canary of this job that began at noon, with every tick if nothing else is said."""
    canary = canaries.start(Canary(job=job, **{"percent": 100, "queue": "new", "least_runs": 4} | fields), "ann")
    Canary.objects.filter(pk=canary.pk).update(created_at=NOON)
    canary.refresh_from_db()
    return canary


def ticked(job: Job, minutes: int) -> list[Run]:
    """The runs of the job's ticks in so many minutes from noon on, each emitted at its time."""
    for minute in range(minutes):
        tick(NOON + minute * MINUTE)
    return list(job.runs.filter(trigger="schedule").order_by("scheduled_for", "shard"))


def end_at(run: Run, now: datetime, *, failed: bool = False, took: float = 1) -> None:
    end(run, now, failed=failed, took=took)
    settle(now)


def test_it_takes_its_part_of_the_ticks_by_its_definition() -> None:
    job = tried_job()
    canary = started(job, percent=30, task="probe.note", args=[7], kwargs={"a": 1}, timeout=9)
    runs = ticked(job, 40)
    taken = [run for run in runs if run.canary_id == canary.pk]
    assert [run.scheduled_for for run in taken] == [
        run.scheduled_for for run in runs if takes(30, job.pk, run.scheduled_for)
    ]
    assert 3 < len(taken) < 25
    for run in runs:
        mine = (run.queue, run.task, run.args, run.kwargs, run.timeout)
        if run in taken:
            assert mine == ("new", "probe.note", [7], {"a": 1}, 9)
            assert run.note == f"goes to the canary {canary.pk}"
        else:
            assert mine == (job.queue, job.task, job.args, job.kwargs, job.timeout)
            assert run.note == ""


def test_what_is_empty_is_as_the_job_has_it() -> None:
    job = tried_job(timeout=77)
    started(job)
    run = ticked(job, 1)[0]
    assert (run.queue, run.task, run.args, run.kwargs, run.timeout) == ("new", job.task, [1, 2], {}, 77)


def test_of_a_job_in_shards_it_takes_the_last_of_each_tick() -> None:
    job = tried_job(fan_out="shards", shards=3)
    canary = started(job, percent=None)
    runs = ticked(job, 2)
    assert [run.canary_id for run in runs] == [None, None, canary.pk] * 2
    assert [run.queue for run in runs] == ["celery", "celery", "new"] * 2
    assert [run.shard for run in runs] == [0, 1, 2] * 2


def test_arguments_that_somebody_gave_for_one_tick_stay() -> None:
    job = tried_job()
    canary = started(job, args=[9, 9])

    birth = by(canary, Birth(new_run_id(NOON), job.pk, NOON, args=[5, 5], note="by ann"))
    assert (birth.args, birth.queue, birth.note) == ([5, 5], "new", f"by ann; goes to the canary {canary.pk}")


@pytest.mark.parametrize(
    ("fields", "percent"), [({}, 100), ({"fan_out": "shards", "shards": 2}, None)], ids=["tick", "shard"]
)
def test_the_probe_of_a_circuit_goes_by_the_job(fields: dict[str, Any], percent: int | None) -> None:
    job = tried_job(breaker_failures=2, **fields)
    started(job, percent=percent)
    Job.objects.filter(pk=job.pk).update(circuit=Circuit.OPEN, circuit_changed_at=NOON - 3600 * SECOND)
    for run in ticked(job, 1):
        assert run.note.startswith("the probe")
        assert run.canary_id is None


def test_it_reverts_itself_with_its_figures_and_further_ticks_go_by_the_job(caplog: pytest.LogCaptureFixture) -> None:
    job = tried_job(name="nightly")
    for minute, run in enumerate(ticked(job, 5)):
        end_at(run, NOON + minute * MINUTE + SECOND)
    canary = started(job, failure_margin=30)
    for minute in range(5, 8):
        tick(NOON + minute * MINUTE)
        end_at(job.runs.latest("scheduled_for"), NOON + minute * MINUTE + SECOND, failed=minute > 5)
    canary.refresh_from_db()
    assert canary.state == CanaryState.REVERTED
    assert canary.reason == (
        "2 of 3 canary runs failed (66.7 %), 0 of 5 others (0 %), which its next 1 could not bring below 50 %: "
        "margin 30 points"
    )
    assert canary.finished_at == NOON + 7 * MINUTE + SECOND
    warning = f"the canary {canary.pk} of the job 'nightly' reverts: {canary.reason}"
    assert ("jobs.canaries", logging.WARNING, warning) in caplog.record_tuples
    tick(NOON + 8 * MINUTE)
    assert job.runs.latest("scheduled_for").canary_id is None


def test_it_goes_on_while_it_does_as_well_as_the_others() -> None:
    job = tried_job()
    canary = started(job, percent=50, failure_margin=40)
    for minute in range(30):
        tick(NOON + minute * MINUTE)
        end_at(job.runs.latest("scheduled_for"), NOON + minute * MINUTE + SECOND, failed=minute % 10 == 9)
    canary.refresh_from_db()
    found = canaries.compare(canary)
    assert canary.state == CanaryState.RUNNING
    assert found.canary.runs + found.others.runs == 30
    assert found.canary.failed + found.others.failed == 3
    assert found.canary.median == found.others.median == 1.0


def test_it_reverts_when_it_takes_too_long() -> None:
    job = tried_job()
    for minute, run in enumerate(ticked(job, 4)):
        end_at(run, NOON + minute * MINUTE + 10 * SECOND, took=2)
    canary = started(job)
    for minute in range(4, 8):
        tick(NOON + minute * MINUTE)
        end_at(job.runs.latest("scheduled_for"), NOON + minute * MINUTE + 10 * SECOND, took=4)
    canary.refresh_from_db()
    assert canary.reason == "the canary's median duration is 4 s, that of the others 2 s: margin 50 %"


def test_it_is_compared_with_a_hundred_runs_before_it_and_ticks_alone() -> None:
    job = tried_job()
    runs = ticked(job, 104)
    for place, run in enumerate(runs):
        end(run, NOON + place * SECOND, failed=place < 4)
    Run.objects.filter(pk=runs[-1].pk).update(trigger="manual")
    canary = started(job)
    Canary.objects.filter(pk=canary.pk).update(created_at=NOON + 101 * SECOND)
    canary.refresh_from_db()
    assert canaries.compare(canary).others == Figures(102, 3, 1.0), "two since then, and 100 before"
    assert canaries.compare(canary).canary == Figures()


def test_only_one_runs_at_a_time() -> None:
    job = make_job()
    started(job)
    with pytest.raises(ValidationError, match="has a canary already"):
        canaries.start(Canary(job=job, percent=10, queue="other"), "bob")


def test_it_is_promoted_into_the_job() -> None:
    job = tried_job(timeout=77)
    canary = started(job, args=[], kwargs={"a": 1})
    assert canaries.promote(canary, "ann", NOON)
    job.refresh_from_db()
    canary.refresh_from_db()
    assert (job.queue, job.task, job.args, job.kwargs, job.timeout) == ("new", "probe.add", [], {"a": 1}, 77)
    assert (canary.state, canary.reason, canary.finished_at) == (CanaryState.PROMOTED, "promoted by ann", NOON)
    assert not canaries.promote(canary, "bob", NOON)
    assert not canaries.revert(canary, "bob", "late", NOON)
    assert ticked(job, 1)[0].canary_id is None


def test_a_promotion_that_would_break_the_job_is_refused_and_it_goes_on() -> None:
    job = tried_job()
    canary = started(job, args=["{yesterday}"])
    Job.objects.filter(pk=job.pk).update(templated=True)
    with pytest.raises(ValidationError) as refused:
        canaries.promote(canary, "ann", NOON)
    assert "yesterday" in refused.value.message_dict["args"][0]
    canary.refresh_from_db()
    assert canary.state == CanaryState.RUNNING
    assert Job.objects.get(pk=job.pk).args == [1, 2]


def test_it_is_reverted_by_hand_with_the_reason() -> None:
    job = tried_job()
    canary = started(job)
    assert canaries.revert(canary, "ann", "wrong image", NOON)
    canary.refresh_from_db()
    assert (canary.state, canary.reason) == (CanaryState.REVERTED, "reverted by ann: wrong image")
    assert Job.objects.get(pk=job.pk).queue == "celery"


@pytest.mark.parametrize(
    ("job_fields", "fields", "field", "words"),
    [
        ({}, {"percent": 10}, "queue", "that differs from the job's"),
        ({}, {"percent": 10, "queue": "celery", "args": [1, 2]}, "queue", "that differs from the job's"),
        ({}, {"queue": "new"}, "percent", "not split into shards"),
        ({"fan_out": "workers"}, {"percent": 10, "queue": "new"}, "queue", "on every worker"),
        ({}, {"percent": 0, "queue": "new"}, "percent", "greater than or equal to 1"),
        ({}, {"percent": 101, "queue": "new"}, "percent", "less than or equal to 100"),
        ({}, {"percent": 10, "args": {}}, "args", "must be a JSON list"),
        ({}, {"percent": 10, "kwargs": []}, "kwargs", "must be a JSON object"),
        ({}, {"percent": 10, "timeout": 0}, "timeout", "greater than or equal to 1"),
        ({}, {"percent": 10, "queue": "new", "least_runs": 0}, "least_runs", "greater than or equal to 1"),
        ({}, {"percent": 10, "queue": "new", "failure_margin": 101}, "failure_margin", "less than or equal to 100"),
        ({"templated": True}, {"percent": 10, "args": ["{nope}"]}, "args", "unknown placeholder"),
    ],
)
def test_what_tries_nothing_is_refused_on_its_field(
    job_fields: dict[str, Any], fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        canaries.start(Canary(job=make_job(**job_fields), **fields), "ann")
    assert words in refused.value.message_dict[field][0]
    assert not Canary.objects.exists()


def test_an_empty_list_of_arguments_is_a_change() -> None:
    job = tried_job()
    started(job, queue="", args=[])
    assert ticked(job, 1)[0].args == []


def test_the_job_of_a_canary_may_be_deleted() -> None:
    job = tried_job()
    started(job)
    runs = ticked(job, 1)
    assert runs[0].canary_id
    Run.objects.filter(job=job).delete()
    job.delete()
    assert not Canary.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_beats_and_a_promotion_at_once_leave_every_tick_one_definition() -> None:
    job = tried_job(schedule="* * * * * *")
    canary = started(job, kwargs={"a": 1}, task="probe.note")
    tick(NOON)
    together(
        lambda: tick(NOON + 5 * SECOND),
        lambda: tick(NOON + 5 * SECOND),
        lambda: canaries.promote(canary, "ann", NOON),
        lambda: canaries.revert(canary, "bob", "", NOON),
    )
    tick(NOON + 5 * SECOND)
    canary.refresh_from_db()
    assert canary.state in (CanaryState.PROMOTED, CanaryState.REVERTED)
    for run in job.runs.all():
        new = (run.task, run.kwargs) == ("probe.note", {"a": 1})
        assert new or (run.task, run.kwargs) == ("probe.add", {})
        assert run.canary_id is None or new
    assert job.runs.count() == 6
