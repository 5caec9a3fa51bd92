"""Saving a job: what decides its fire times is planned anew, and what the beat has written is never undone."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from jobs.models import Job
from jobs.plan import plan
from tests.factories import NOON, make_job, planned_job

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LONG_AGO, FAR_OFF = NOON.replace(year=2020), NOON.replace(year=2100)


def steady_job(**fields: Any) -> Job:
    """A job that was planned long ago, whose next tick does not come during the test."""
    job = planned_job(FAR_OFF, **fields)
    Job.objects.filter(pk=job.pk).update(planned_from=LONG_AGO)
    job.refresh_from_db()
    return job


def is_planned(job: Job) -> bool:
    return Job.objects.get(pk=job.pk).planned


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "another name"),
        ("schedule", "@daily"),
        ("timezone", "Europe/Riga"),
        ("enabled", False),
        ("starts_at", NOON),
        ("ends_at", NOON + DAY),
    ],
)
@pytest.mark.parametrize("way", ["save", "save of one field", "update", "bulk_update"])
def test_a_change_of_the_fire_times_marks_the_job_for_planning(way: str, field: str, value: Any) -> None:
    job = steady_job()
    match way:
        case "update":
            Job.objects.filter(pk=job.pk).update(**{field: value})
        case _:
            setattr(job, field, value)
            if way == "bulk_update":
                Job.objects.bulk_update([job], [field])
            else:
                job.save(update_fields=[field] if way == "save of one field" else None)
    changed = Job.objects.get(pk=job.pk)
    assert getattr(changed, field) == value
    assert not changed.planned
    assert changed.planned_from > LONG_AGO


@pytest.mark.parametrize("changes", [{"args": [9], "queue": "slow", "timeout": 5, "description": "x"}, {}])
@pytest.mark.parametrize("way", ["save", "update"])
def test_other_changes_leave_the_plan_alone(way: str, changes: dict[str, Any]) -> None:
    job = steady_job()
    if way == "update":
        Job.objects.filter(pk=job.pk).update(**(changes or {"keep": 3}))
    else:
        for name, value in changes.items():
            setattr(job, name, value)
        job.save()
    assert is_planned(job)
    assert Job.objects.get(pk=job.pk).planned_from == job.planned_from


def test_a_stale_form_does_not_undo_what_the_beat_has_written() -> None:
    job = steady_job()
    stale = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(next_run_at=NOON + DAY, error="from the beat")
    stale.description = "edited for an hour"
    stale.save()
    saved = Job.objects.get(pk=job.pk)
    assert (saved.description, saved.next_run_at, saved.error) == ("edited for an hour", NOON + DAY, "from the beat")
    assert stale.next_run_at == NOON + DAY


def test_a_stale_form_that_puts_an_old_schedule_back_is_planned_by_it() -> None:
    job = steady_job(schedule="0 * * * *")
    stale = Job.objects.get(pk=job.pk)
    job.schedule = "0 0 * * *"
    job.save()
    plan(NOON)
    stale.description = "saved with the old schedule still in the form"
    stale.save()
    assert Job.objects.get(pk=job.pk).schedule == "0 * * * *"
    assert not is_planned(job)
    plan(NOON)
    assert Job.objects.get(pk=job.pk).planned_schedule == "0 * * * *"


def test_a_job_that_was_read_anew_before_its_edit_is_planned() -> None:
    job = steady_job(schedule="0 * * * *")
    Job.objects.filter(pk=job.pk).update(schedule="0 0 * * *")
    plan(NOON)
    job.refresh_from_db()
    job.schedule = "0 * * * *"
    job.save()
    assert not is_planned(job)


def test_a_job_read_without_its_schedule_can_be_saved() -> None:
    job = steady_job()
    partly = Job.objects.only("description").get(pk=job.pk)
    partly.description = "new"
    partly.save()
    assert is_planned(job)
    assert Job.objects.get(pk=job.pk).schedule == job.schedule


def test_a_schedule_set_by_an_expression_marks_the_job() -> None:
    job = steady_job()
    Job.objects.filter(pk=job.pk).update(schedule=Concat(Value("0 "), F("schedule")))
    assert not is_planned(job)


def test_an_update_from_many_edits_marks_them_all_in_one_statement() -> None:
    for _ in range(3):
        steady_job()
    with CaptureQueriesContext(connection) as captured:
        assert Job.objects.update(timezone="Asia/Tokyo") == 3
    assert len(captured) == 1
    assert Job.objects.unplanned().count() == 3


def cost_of_an_edit_and_its_planning(job: Job) -> int:
    job.refresh_from_db()
    job.schedule = "*/7 * * * *" if job.schedule != "*/7 * * * *" else "*/8 * * * *"
    with CaptureQueriesContext(connection) as captured:
        job.save()
        assert plan(NOON).planned == 1
    return len(captured)


def test_an_edit_costs_the_same_few_queries_with_ten_jobs_as_with_five_thousand() -> None:
    job = steady_job()
    values = {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}
    del values["id"], values["name"]
    Job.objects.bulk_create(Job(name=f"one of ten {number}", **values) for number in range(9))
    with_ten = cost_of_an_edit_and_its_planning(job)
    Job.objects.bulk_create(Job(name=f"one of many {number}", **values) for number in range(4_990))
    assert cost_of_an_edit_and_its_planning(job) == with_ten <= 8


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schedule": "61 * * * *"}, "schedule", "minute: 61"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Mars/Olympus"),
        ({"starts_at": NOON, "ends_at": NOON}, "ends_at", "must be after the start"),
        ({"task": " "}, "task", "needed"),
        ({"args": {"a": 1}}, "args", "must be a JSON list such as [1, 2], not an object"),
        ({"kwargs": [1]}, "kwargs", 'must be a JSON object such as {"key": 1}, not a list'),
        ({"args": ["a\x00"]}, "args", "NUL"),
        ({"args": [float("nan")]}, "args", "NaN"),
        ({"args": ["\ud800"]}, "args", "surrogate"),
        ({"priority": 10}, "priority", "less than or equal to 9"),
        ({"timeout": 0}, "timeout", "greater than or equal to 1"),
        ({"never_retry": "ValueError, 1st"}, "never_retry", "1st: not the name"),
        ({"only_retry": "a..b"}, "only_retry", "a..b: not the name"),
        ({"never_retry": "KeyError", "only_retry": "OSError"}, "only_retry", "cannot be combined"),
        ({"missed": "all"}, "missed", "must let runs overlap"),
        ({"missed": "all", "overlap": "replace"}, "missed", "must let runs overlap"),
    ],
)
def test_a_job_that_could_never_run_is_refused_by_field_and_reason(
    fields: dict[str, Any], field: str, words: str
) -> None:
    job = Job(**({"name": "a job", "task": "probe.add", "schedule": "* * * * *"} | fields))
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert list(refused.value.message_dict) == [field]
    assert words in " ".join(refused.value.message_dict[field])


def test_a_sound_job_is_accepted() -> None:
    make_job(name="sound").full_clean()
