"""The pages of backfills: who gets them, the dry run, the start, the operations and how far one has come."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs import backfill
from jobs.clock import database_now
from jobs.models import Backfill, Job, Run
from jobs.states import State
from tests.backfills import end
from tests.db.admin_site import client_with, page, press, told
from tests.factories import make_job

pytestmark = pytest.mark.django_db

PAGE = "admin:jobs_job_backfill"
OF_ONE = "admin:jobs_backfill_change"
DAY = timedelta(days=1)
WISH = {
    "first": "2026-03-01 00:00",
    "last": "2026-03-05 23:59",
    "redo": "none",
    "order": "oldest",
    "at_once": "2",
    "why": "a new column",
}


def nightly(**fields: Any) -> Job:
    """A job with a tick at two each night in Riga, that the beat has planned."""
    job = make_job(
        **{"schedule": "0 2 * * *", "timezone": "Europe/Riga", "overlap": "allow", "name": "nightly"} | fields
    )
    Job.objects.filter(pk=job.pk).update(planned=True)
    return job


def operator() -> Client:
    """Somebody who may backfill jobs and see them, no more."""
    return client_with("view_job", "backfill_job", "view_run", name="operator")


def send(client: Client, job: Job, **fields: str) -> HttpResponse:
    return client.post(reverse(PAGE, args=[job.pk]), WISH | fields)  # type: ignore[return-value]


def begun(job: Job) -> Backfill:
    """A backfill of four ticks, with its first two runs."""
    now = database_now()
    asked = backfill.Asked(now - 4 * DAY, now, why="a test", at_once=2)
    one = backfill.start(job.pk, asked, "ann", now)
    assert backfill.advance(now).made == 2
    return one


def test_the_button_is_for_those_who_may_backfill() -> None:
    job = nightly()
    button = f'<a href="{reverse(PAGE, args=[job.pk])}">Backfill…</a>'
    assert button in page(operator(), "admin:jobs_job_change", job.pk)
    others = client_with("view_job", "change_job", "trigger_job", name="editor")
    assert "Backfill…" not in page(others, "admin:jobs_job_change", job.pk)


@pytest.mark.parametrize("permissions", [("view_job", "change_job", "trigger_job", "pause_job"), ("backfill_job",)])
def test_it_needs_the_permission_to_backfill_and_to_see_the_job(permissions: tuple[str, ...]) -> None:
    job = nightly()
    client = client_with(*permissions)
    assert client.get(reverse(PAGE, args=[job.pk])).status_code == 403
    assert send(client, job, step="start").status_code == 403
    assert not Backfill.objects.exists()


def test_anonymous_people_forged_posts_and_other_methods_get_nowhere() -> None:
    job = nightly()
    assert "/login/" in send(Client(), job, step="start")["Location"]
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator().cookies
    assert send(strict, job, step="start").status_code == 403
    assert client_with("backfill_job", "view_job").delete(reverse(PAGE, args=[job.pk])).status_code == 405
    assert not Backfill.objects.exists()


def test_first_comes_a_dry_run_which_makes_nothing() -> None:
    job = nightly()
    client = operator()
    form = page(client, PAGE, job.pk)
    assert "See what would be made" in form
    html = send(client, job).content.decode()
    assert '<th scope="row">Ticks in the range</th><td>5</td>' in html
    assert '<th scope="row">run for the first time</th><td>5</td>' in html
    assert "2026-03-01 02:00:00 EET" in html
    assert "Start the backfill" in html
    assert not Backfill.objects.exists()
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()


def test_the_dry_run_can_be_changed_with_all_that_was_typed() -> None:
    html = send(operator(), nightly(), step="edit").content.decode()
    assert 'value="2026-03-01 00:00"' in html
    assert 'value="a new column"' in html
    assert "See what would be made" in html


def test_it_starts_logs_and_leads_to_its_page() -> None:
    job = nightly()
    client = operator()
    answer = send(client, job, step="start", redo="failed", order="newest")
    one = Backfill.objects.get()
    assert answer["Location"] == reverse(OF_ONE, args=[one.pk])
    assert (one.redo, one.order, one.at_once, one.why, one.made_by) == (
        *("failed", "newest", 2, "a new column"),
        "operator",
    )
    assert (one.total, f"{one.first:%m-%d %H:%M}") == (5, "02-28 22:00"), "the first of March in Riga"
    assert "Backfill: started, 5 ticks" in LogEntry.objects.get().get_change_message()
    html = page(client, OF_ONE, one.pk)
    assert "0 of 5 ticks looked at, 0 runs made" in html
    assert "a new column" in html


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("first", "", "required"),
        ("first", "soon", "write it as 2027-01-31 09:00"),
        ("first", "2026-03-06 00:00", "must not be before the first"),
        ("last", "2190-01-01 00:00", "lies in the future"),
        ("last", "2026-03-01 01:00", "no tick in this range"),
        ("redo", "some", "not one of the available choices"),
        ("order", "random", "not one of the available choices"),
        ("at_once", "0", "greater than or equal to 1"),
        ("at_once", "1001", "less than or equal to 1000"),
        ("at_once", "many", "whole number"),
        ("why", " ", "required"),
        ("why", "x" * 501, "at most 500"),
    ],
)
@pytest.mark.parametrize("step", ["preview", "start"])
def test_bad_input_is_refused_at_its_field(step: str, field: str, text: str, words: str) -> None:
    answer: Any = send(operator(), nightly(), **{field: text, "step": step})
    assert answer.status_code == 200
    where = "last" if words == "must not be before the first" else field
    assert words in " ".join(answer.context["errors"][where])
    assert not Backfill.objects.exists()


def test_an_absurd_range_needs_an_explicit_yes(settings: Settings) -> None:
    settings.CARILLON = {"BACKFILL_LIMIT": 4}
    job = nightly()
    client = operator()
    for step in ("preview", "start"):
        html = send(client, job, step=step).content.decode()
        assert "the range has 5 ticks, more than 4" in html
        assert 'name="even_if_many"' in html
    assert not Backfill.objects.exists()
    assert send(client, job, step="start", even_if_many="on").status_code == 302
    assert Backfill.objects.get().total == 5


def test_a_second_one_and_a_job_that_cannot_be_read_are_told() -> None:
    job = nightly()
    client = operator()
    send(client, job, step="start")
    assert "has not ended" in send(client, job, step="start").content.decode()
    Job.objects.filter(pk=job.pk).update(schedule="nonsense")
    assert "its ticks cannot be told" in send(client, job).content.decode()
    assert Backfill.objects.count() == 1


def test_what_is_left_alone_is_told_with_the_reason() -> None:
    job = nightly()
    now = database_now()
    begun(job)
    range_now = {"first": (now - 4 * DAY).isoformat(), "last": now.isoformat()}
    html = send(operator(), job, **range_now).content.decode()
    assert "left alone, because they have runs that have not ended</th><td>2</td>" in html


def test_nothing_to_make_offers_no_start() -> None:
    job = nightly()
    one = begun(job)
    for run in job.runs.all():
        end(run, State.SUCCEEDED, database_now())
    done = {"first": one.first.isoformat(), "last": (one.first + 2 * DAY).isoformat()}
    html = send(operator(), job, **done).content.decode()
    assert "There is nothing to make" in html
    assert "Start the backfill" not in html


def test_the_page_of_one_tells_its_progress_and_links_to_its_runs() -> None:
    job = nightly()
    one = begun(job)
    run = job.runs.order_by("scheduled_for").first()
    assert run is not None
    end(run, State.FAILED, database_now())
    client = operator()
    html = page(client, OF_ONE, one.pk)
    assert "2 of 4 ticks looked at, 2 runs made" in html
    link = f"?backfill__id__exact={one.pk}&amp;state=failed"
    assert link in html
    listed = page(client, "admin:jobs_run_changelist", backfill__id__exact=str(one.pk), state="failed")
    assert "1 run" in listed
    assert str(run.pk) in listed


def test_pause_resume_and_cancel() -> None:
    job = nightly()
    one = begun(job)
    client = operator()
    press(client, one, "pause")
    assert "no more runs are made or started" in told(client)
    assert set(job.runs.values_list("state", flat=True)) == {State.HELD}
    html = page(client, OF_ONE, one.pk)
    assert "paused by operator" in html
    assert reverse("admin:jobs_backfill_operate", args=[one.pk, "pause"]) not in html
    press(client, one, "resume")
    assert "it goes on from where it was" in told(client)
    press(client, one, "cancel")
    assert "cancelled, with its runs" in told(client)
    assert set(job.runs.values_list("state", flat=True)) == {State.CANCELLED}
    for name in ("pause", "resume", "cancel"):
        press(client, one, name)
        assert "nothing changed" in told(client)
    assert LogEntry.objects.count() == 3


def test_the_operations_need_the_permission() -> None:
    one = begun(nightly())
    watcher = client_with("view_backfill", "view_job", name="watcher")
    assert "Pause" not in page(watcher, OF_ONE, one.pk)
    for operation in ("pause", "resume", "cancel"):
        assert press(watcher, one, operation).status_code == 403
    stranger = client_with("view_job", "change_job", "operate_run", name="stranger")
    assert stranger.get(reverse(OF_ONE, args=[one.pk])).status_code == 403
    assert Backfill.objects.get().state == "running"


def test_the_list_tells_all_of_them() -> None:
    one = begun(nightly())
    Job.objects.filter(pk=one.job_id).update(circuit="open")
    html = page(operator(), "admin:jobs_backfill_changelist", q="night")
    assert "2 of 4" in html
    assert "nightly" in html
    assert "1 backfill" in html
    assert "waits for the circuit breaker" in page(client_with("view_backfill", name="b"), OF_ONE, one.pk)


def test_html_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    job = nightly(name=evil)
    client = operator()
    send(client, job, step="start", why=evil)
    pages = [
        page(client, PAGE, job.pk),
        send(client, job, why=evil, first="2026-02-01").content.decode(),
        page(client, OF_ONE, Backfill.objects.get().pk),
        page(client, "admin:jobs_backfill_changelist"),
    ]
    assert not [html for html in pages if "<script>alert" in html]
