"""What the page of a job tells of its circuit breaker, and the button that closes the circuit."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from jobs.clock import database_now
from jobs.models import Job
from jobs.models.choices import Circuit
from tests.db.admin_site import JOBS, client_with, page, press, told
from tests.factories import make_job, scheduled_run

pytestmark = pytest.mark.django_db

CHANGE = "admin:jobs_job_change"


def opened(**fields: object) -> Job:
    """A job whose circuit has just been opened."""
    job = make_job(breaker_failures=5, **fields)
    state = {"circuit": Circuit.OPEN, "circuit_reason": "5 failures in a row", "circuit_changed_at": database_now()}
    Job.objects.filter(pk=job.pk).update(**state)
    job.refresh_from_db()
    return job


def test_a_job_without_a_breaker_says_so(admin_client: Client) -> None:
    html = page(admin_client, CHANGE, make_job().pk)
    assert "No breaker" in html
    assert "Close circuit" not in html


def test_an_open_circuit_is_told_in_the_list_and_on_the_page(admin_client: Client) -> None:
    job = opened()
    assert 'title="5 failures in a row">Circuit open' in page(admin_client, JOBS)
    html = page(admin_client, CHANGE, job.pk)
    assert f"circuit open since {job.circuit_changed_at:%H:%M:%S} UTC: 5 failures in a row" in html
    assert job.circuit_changed_at is not None
    due = job.circuit_changed_at + timedelta(seconds=300)
    assert (
        f"a probe goes from {due:%H:%M:%S} UTC on" in html or f"a probe goes from {due:%Y-%m-%d %H:%M:%S} UTC" in html
    )


def test_a_half_open_one_leads_to_its_probe(admin_client: Client) -> None:
    job = opened()
    run = scheduled_run(job=job)
    Job.objects.filter(pk=job.pk).update(circuit=Circuit.HALF_OPEN, circuit_probe=run.pk)
    address = reverse("admin:jobs_run_change", args=[run.pk])
    assert f'waits for the end of <a href="{address}">its probe</a>' in page(admin_client, CHANGE, job.pk)
    Job.objects.filter(pk=job.pk).update(circuit_probe=uuid4())
    assert "its probe is gone" in page(admin_client, CHANGE, job.pk)
    Job.objects.filter(pk=job.pk).update(circuit_probe=None)
    assert "the next run that comes is the probe" in page(admin_client, CHANGE, job.pk)


def test_the_button_closes_it_says_who_and_logs_it() -> None:
    job = opened()
    client = client_with("view_job", "change_job", name="editor")
    assert "Close circuit" in page(client, CHANGE, job.pk)
    press(client, job, "close_circuit")
    job.refresh_from_db()
    assert (job.circuit, job.circuit_reason) == (Circuit.CLOSED, "closed by editor")
    assert "its circuit is closed" in told(client)
    assert "Close circuit" in LogEntry.objects.get().get_change_message()
    html = page(client, CHANGE, job.pk)
    assert "closed by editor at" in html
    press(client, job, "close_circuit")
    assert "its circuit was closed already" in told(client)


def test_it_needs_the_permission_to_change_the_job() -> None:
    job = opened()
    client = client_with("view_job", "trigger_job", "pause_job")
    assert "Close circuit" not in page(client, CHANGE, job.pk)
    assert press(client, job, "close_circuit").status_code == 403
    assert Job.objects.get().circuit == Circuit.OPEN


def test_what_is_wrong_with_a_breaker_is_told_on_its_field(admin_client: Client) -> None:
    job = make_job()
    answer = admin_client.post(
        reverse(CHANGE, args=[job.pk]), {"breaker_exceptions": "no-class", "breaker_failures": "0"}
    )
    errors = answer.context["adminform"].form.errors
    assert "greater than or equal to 1" in errors["breaker_failures"][0]


def test_the_form_saves_the_breaker_and_keeps_the_circuit(admin_client: Client) -> None:
    job = opened()
    answer: Any = admin_client.get(reverse(CHANGE, args=[job.pk]))
    inlines = [inline.formset.management_form for inline in answer.context["inline_admin_formsets"]]
    shown = {bound.html_name: bound.value() for form in (answer.context["adminform"].form, *inlines) for bound in form}
    fields = {name: value for name, value in shown.items() if value is not None and value is not False}
    answer = admin_client.post(reverse(CHANGE, args=[job.pk]), fields | {"breaker_pause": "7"})
    assert answer.status_code == 302, answer.context["errors"]
    job.refresh_from_db()
    assert (job.breaker_pause, job.circuit) == (7, Circuit.OPEN)
