"""Odd input through the admin's form and through `full_clean`: refused on a field, or saved and then planned."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import example, given

from jobs.clock import database_now
from jobs.models import Job
from jobs.plan import plan
from jobs.tick import tick
from tests.db.admin_site import JOB_FORM
from tests.odd import FORM, FUZZED, MODEL, changes

pytestmark = pytest.mark.django_db


def plannable() -> None:
    """Whatever is in the table now, the beat plans and ticks it, and nothing is set aside."""
    now = database_now()
    while plan(now).more:
        pass
    tick(now)
    assert list(Job.objects.exclude(error="").values_list("schedule", "timezone", "error")) == []


@FUZZED
@given(changes(FORM))
@example({"args": "[" * 100_000})
@example({"args": f"[{'9' * 5_000}]"})
@example({"name": "a\x00b"})
@example({"starts_at": "0001-01-01 00:00:00", "timezone": "Asia/Tokyo"})
@example({"ends_at": "9999-12-31 23:59:59", "timezone": "America/New_York"})
@example({"starts_at": "9999-12-31 23:59:59", "timezone": "America/New_York"})
def test_the_form_refuses_on_a_field_or_saves_what_can_be_planned(admin_client: Client, odd: dict[str, str]) -> None:
    answer: Any = admin_client.post(reverse("admin:jobs_job_add"), JOB_FORM | odd)
    saved = Job.objects.count()
    if answer.status_code == 302:
        assert saved == 1
        plannable()
        job = Job.objects.get()
        assert admin_client.get(reverse("admin:jobs_job_change", args=[job.pk])).status_code == 200
        assert admin_client.get(reverse("admin:jobs_job_changelist")).status_code == 200
    else:
        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors
        assert saved == 0
    Job.objects.all().delete()


@FUZZED
@pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning")
@given(changes(MODEL))
def test_full_clean_refuses_or_the_job_is_saved_and_planned(odd: dict[str, Any]) -> None:
    job = Job(**{"name": "nightly", "task": "probe.add", "args": [1, 2], "schedule": "0 2 * * *"} | odd)
    try:
        job.full_clean()
    except ValidationError:
        return
    job.save()
    plannable()
    Job.objects.all().delete()
