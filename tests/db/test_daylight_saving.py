"""The options of a job for clock changes: how they are planned, and that an edit of them loses and makes up no tick."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from jobs.models import Job, Run
from jobs.plan import PlanResult, plan
from jobs.tick import tick
from tests.factories import make_job, planned_job

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# 02:00 becomes 03:00 in New York; 02:30 does not exist.
SPRING = datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
# 02:00 becomes 01:00; 01:30 comes at 05:30 and at 06:30.
FIRST = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
SECOND = FIRST + HOUR
NEXT_DAY = SECOND + DAY


def york_job(next_run_at: datetime, **fields: Any) -> Job:
    defaults = {"timezone": "America/New_York", "schedule": "30 1 * * *", "overlap": "allow"}
    return planned_job(next_run_at, **(defaults | fields))


def edit(job: Job, at: datetime, **changes: Any) -> None:
    """Save the changes, as if it were `at`."""
    for name, value in changes.items():
        setattr(job, name, value)
    job.save()
    assert not Job.objects.get(pk=job.pk).planned
    Job.objects.filter(pk=job.pk).update(planned_from=at, owed_until=at)


def next_run_at(job: Job) -> datetime | None:
    return Job.objects.get(pk=job.pk).next_run_at


def ledger() -> list[datetime]:
    return list(Run.objects.order_by("scheduled_for").values_list("scheduled_for", flat=True))


def test_a_plan_keeps_the_options_by_which_it_was_made() -> None:
    job = make_job(gap="skip", repeated="both")
    plan(SPRING)
    job.refresh_from_db()
    assert (job.planned_gap, job.planned_repeated) == ("skip", "both")


@pytest.mark.parametrize(("repeated", "ticks"), [("first", [FIRST]), ("second", [SECOND]), ("both", [FIRST, SECOND])])
def test_the_ticks_of_the_repeated_hour(repeated: str, ticks: list[datetime]) -> None:
    job = york_job(ticks[0], repeated=repeated)
    for minutes in range(0, 120, 10):
        tick(FIRST + minutes * MINUTE)
    assert ledger() == ticks
    assert next_run_at(job) == NEXT_DAY


@pytest.mark.parametrize(("gap", "first"), [("after", SPRING), ("skip", SPRING - MINUTE * 30 + DAY)])
def test_the_first_tick_over_the_skipped_hour(gap: str, first: datetime) -> None:
    job = make_job(timezone="America/New_York", schedule="30 2 * * *", gap=gap)
    Job.objects.filter(pk=job.pk).update(planned_from=SPRING - HOUR)
    plan(SPRING - HOUR)
    assert next_run_at(job) == first


@pytest.mark.parametrize(
    ("old", "new", "upcoming"),
    [
        ("first", "second", SECOND),
        ("first", "both", SECOND),
        ("both", "first", NEXT_DAY),
        ("second", "first", NEXT_DAY),
    ],
)
def test_an_edit_between_the_two_times_takes_effect_and_makes_no_tick_up(
    old: str, new: str, upcoming: datetime
) -> None:
    """At 01:45 the first time, when the tick of 01:30 has or has not been the job's own, and has been handled."""
    job = york_job(SECOND if old != "first" else NEXT_DAY, repeated=old)
    edited_at = FIRST + 15 * MINUTE
    edit(job, edited_at, repeated=new)
    assert plan(edited_at) == PlanResult(planned=1)
    assert next_run_at(job) == upcoming
    assert ledger() == []


@pytest.mark.parametrize(("old", "owed"), [("first", [FIRST]), ("second", [SECOND]), ("both", [FIRST, SECOND])])
def test_ticks_that_are_owed_follow_the_old_repeated_hour(old: str, owed: list[datetime]) -> None:
    job = york_job(owed[0], repeated=old, grace=24 * 3600, missed="all")
    edited_at = SECOND + MINUTE
    edit(job, edited_at, repeated="both" if old != "both" else "first")
    plan(edited_at)
    assert ledger() == owed
    assert next_run_at(job) == NEXT_DAY


@pytest.mark.parametrize(("old", "new", "owed"), [("after", "skip", [SPRING]), ("skip", "after", [])])
def test_ticks_that_are_owed_follow_the_old_gap(old: str, new: str, owed: list[datetime]) -> None:
    tomorrow = SPRING - 30 * MINUTE + DAY
    job = york_job(owed[0] if owed else tomorrow, schedule="30 2 * * *", gap=old)
    edited_at = SPRING + 5 * MINUTE
    edit(job, edited_at, gap=new)
    plan(edited_at)
    assert ledger() == owed
    assert next_run_at(job) == tomorrow


def test_a_job_that_was_planned_before_these_columns_has_the_defaults() -> None:
    job = york_job(FIRST)
    Job.objects.filter(pk=job.pk).update(planned_gap="", planned_repeated="")
    assert tick(FIRST).fired == 1
    assert next_run_at(job) == NEXT_DAY


@pytest.mark.parametrize(("field", "value"), [("gap", "skip"), ("repeated", "both")])
@pytest.mark.parametrize("way", ["save", "update"])
def test_a_change_of_either_field_marks_the_job_for_planning(way: str, field: str, value: str) -> None:
    job = york_job(FIRST)
    if way == "save":
        setattr(job, field, value)
        job.save()
    else:
        Job.objects.filter(pk=job.pk).update(**{field: value})
    assert not Job.objects.get(pk=job.pk).planned


@pytest.mark.parametrize("field", ["gap", "repeated"])
def test_an_unknown_value_is_refused_at_its_field(field: str) -> None:
    job = york_job(FIRST)
    setattr(job, field, "never")
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert list(refused.value.message_dict) == [field]
    with pytest.raises(IntegrityError), transaction.atomic():
        job.save()


def test_one_time_that_the_clock_and_the_job_skip_is_refused_at_the_schedule() -> None:
    job = Job(name="once", task="probe.add", schedule="@at 2026-03-29T03:30", timezone="Europe/Riga", gap="skip")
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert list(refused.value.message_dict) == ["schedule"]
    assert "the clock skips 2026-03-29T03:30" in refused.value.message_dict["schedule"][0]
