"""The pages of runs: what the list and the page of one run tell, and that nothing there can be edited."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs import transitions, trigger
from jobs.admin.run_list import first_id_since
from jobs.births import Birth, insert, new_run_id
from jobs.clock import database_now
from jobs.models import Attempt, Run
from jobs.models.attempt import Outcome
from jobs.states import State, Trigger
from tests.db.admin_site import RUNS, client_with, page
from tests.factories import NOON, make_job, queued_run, reload, running_run, scheduled_run, ticket_of

pytestmark = pytest.mark.django_db

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: <script>alert(1)</script>'


def retrying_run(**fields: Any) -> Run:
    """A run whose first attempt has failed."""
    run, claim = running_run(**fields)
    told = {"error": "ValueError: <script>alert(2)</script>", "traceback": TRACEBACK, "retries": 1}
    assert transitions.try_again(claim.ticket, [State.RUNNING], 12, told, NOON)
    Attempt.objects.create(
        run=run,
        number=1,
        outcome=Outcome.TIMED_OUT,
        error="too slow <script>alert(3)</script>",
        traceback=TRACEBACK,
        worker_name="worker@test",
        pid=4712,
        started_at=NOON,
        finished_at=NOON + timedelta(seconds=1.5),
    )
    return reload(run)


def skipped_run(**fields: Any) -> Run:
    birth = Birth(
        new_run_id(NOON),
        make_job(**fields).pk,
        NOON,
        state=State.MISSED,
        reason="no beat was up",
        ticks=12,
        last_scheduled_for=NOON + timedelta(minutes=11),
    )
    insert([birth], NOON)
    return Run.objects.get(pk=birth.id)


def shown(client: Client, **query: str) -> set[Any]:
    answer: Any = client.get(reverse(RUNS), query)
    assert answer.status_code == 200
    return {run.pk for run in answer.context["cl"].result_list}


def test_the_list_tells_what_happened(admin_client: Client) -> None:
    retrying_run(name="flaky one", timezone="Europe/Riga")
    running_run(name="busy one")
    skipped_run(name="missed one")
    html = page(admin_client, RUNS)
    for words in (
        "flaky one",
        "2026-07-01 15:00:00",
        "EEST",
        "Retrying",
        "Running",
        "so far",
        "worker@test",
        "Missed",
        "and 11 more until 2026-07-01 12:11 UTC",
        "no beat was up",
        "&lt;script&gt;alert(2)",
    ):
        assert words in html, words
    assert "<script>alert" not in html


def test_filters(admin_client: Client) -> None:
    scheduled, queued = scheduled_run(), queued_run()
    running, retrying, missed = running_run()[0], retrying_run(), skipped_run()
    assert shown(admin_client, state="scheduled") == {scheduled.pk, retrying.pk}
    assert shown(admin_client, state="retrying") == {retrying.pk}
    assert shown(admin_client, state="live") == {scheduled.pk, queued.pk, running.pk, retrying.pk}
    assert shown(admin_client, state="missed") == {missed.pk}
    assert shown(admin_client, trigger__exact="schedule") == {missed.pk}
    assert shown(admin_client, job__id__exact=str(queued.job_id)) == {queued.pk}
    assert shown(admin_client, job__id__exact="0") == set()


def test_the_filter_by_date_follows_the_ids(admin_client: Client) -> None:
    now = database_now()
    old, new = scheduled_run(now - timedelta(hours=2)), scheduled_run(now - timedelta(minutes=5))
    assert shown(admin_client, made="hour") == {new.pk}
    assert shown(admin_client, made="day") == {old.pk, new.pk}
    assert first_id_since(now) <= new_run_id(now) < first_id_since(now + timedelta(milliseconds=2))


def test_search_by_id_and_by_the_beginning_of_a_jobs_name(admin_client: Client) -> None:
    first, second = scheduled_run(name="Nightly backup"), scheduled_run(name="Weekly nightly")
    assert shown(admin_client, q=str(first.pk)) == {first.pk}
    assert shown(admin_client, q="nightly") == {first.pk}
    assert shown(admin_client, q="w") == {second.pk}
    assert shown(admin_client, q="100%") == set()


@pytest.mark.parametrize(
    "query",
    [
        {"state": "<script>alert(1)</script>"},
        {"made": "never"},
        {"job__id__exact": "<script>alert(1)</script>"},
        {"job__id__exact": "9" * 40},
        {"q": "\x00"},
        {"q": "<script>alert(1)</script>"},
        {"p": "99999999999999999999"},
        {"o": "1.2.3"},
        {"unknown": "1"},
    ],
)
def test_odd_queries_are_answered(admin_client: Client, query: dict[str, str]) -> None:
    scheduled_run()
    answer = admin_client.get(reverse(RUNS), query, follow=True)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()


def test_the_job_filter_keeps_the_other_filters_and_loads_no_jobs(admin_client: Client) -> None:
    run, other = scheduled_run(name="shown one"), make_job(name="not in the page")
    html = page(admin_client, RUNS, job__id__exact=str(run.job_id), state="live")
    assert '<input type="hidden" name="state" value="live">' in html
    assert "shown one</option>" in html
    assert other.name not in html
    lookup = {"app_label": "jobs", "model_name": "run", "field_name": "job", "term": "not in"}
    found = admin_client.get(reverse("admin:autocomplete"), lookup).json()
    assert [row["text"] for row in found["results"]] == ["not in the page"]


def test_the_page_of_a_run_tells_everything_and_no_secret(admin_client: Client, settings: Settings) -> None:
    settings.CARILLON = {**settings.CARILLON, "FLOWER_URL": "http://127.0.0.1:5555/"}
    run = retrying_run(
        args=["postgres://me:hunter2@host/db"], kwargs={"options": {"api_token": "hunter3", "days": 7}}, name="flaky"
    )
    html = page(admin_client, "admin:jobs_run_change", run.pk)
    for words in (
        "Retrying",
        "postgres://me:•••@host/db",
        "&quot;days&quot;: 7",
        "Timed out",
        "too slow",
        "<summary>Traceback</summary>",
        "&lt;script&gt;alert(1)",
        "process 4712",
        "1.5 s",
        f'href="http://127.0.0.1:5555/task/{run.pk}"',
        reverse("admin:jobs_job_change", args=[run.job_id]),
    ):
        assert words in html, words
    for secret in ("hunter2", "hunter3", "<script>alert"):
        assert secret not in html


def test_there_is_no_link_to_flower_without_its_address(admin_client: Client, settings: Settings) -> None:
    settings.CARILLON = {**settings.CARILLON, "FLOWER_URL": ""}
    assert "Flower" not in page(admin_client, "admin:jobs_run_change", queued_run().pk)


def test_a_run_and_its_retry_link_to_each_other(admin_client: Client) -> None:
    old = scheduled_run()
    transitions.cancel(old.pk, "by the test")
    new = trigger.retry_run(old.pk, NOON + timedelta(minutes=1))
    assert new.trigger == Trigger.RETRY
    assert reverse("admin:jobs_run_change", args=[new.pk]) in page(admin_client, "admin:jobs_run_change", old.pk)
    assert reverse("admin:jobs_run_change", args=[old.pk]) in page(admin_client, "admin:jobs_run_change", new.pk)
    Run.objects.filter(pk=old.pk).delete()
    assert "which is not kept any more" in page(admin_client, "admin:jobs_run_change", new.pk)


def test_the_attempt_that_succeeded_is_shown_from_the_run(admin_client: Client) -> None:
    run, claim = running_run()
    assert transitions.succeed(claim.ticket, {"result": {"token": "hunter2", "rows": 3}}, NOON + timedelta(seconds=4))
    html = page(admin_client, "admin:jobs_run_change", run.pk)
    assert f"<td>{ticket_of(run).attempt}</td>" in html
    assert "&quot;rows&quot;: 3" in html
    assert "hunter2" not in html


@pytest.mark.parametrize("make", [scheduled_run, queued_run, retrying_run, skipped_run])
def test_every_kind_of_run_has_a_page(admin_client: Client, make: Any) -> None:
    assert "Scheduled for" in page(admin_client, "admin:jobs_run_change", make(timezone="Europe/Riga").pk)


def test_nobody_can_add_change_or_delete_runs(admin_client: Client) -> None:
    run = scheduled_run()
    for verb in ("change", "delete"):
        address = reverse(f"admin:jobs_run_{verb}", args=[run.pk])
        assert admin_client.post(address, {"post": "yes", "state": "succeeded"}).status_code == 403
    assert admin_client.get(reverse("admin:jobs_run_add")).status_code == 403
    assert reload(run).state == State.SCHEDULED


def test_sight_of_runs_needs_its_permission() -> None:
    run = scheduled_run()
    client = client_with("view_job")
    assert client.get(reverse(RUNS)).status_code == 403
    assert client.get(reverse("admin:jobs_run_change", args=[run.pk])).status_code == 403
    assert client_with("view_run", name="other").get(reverse(RUNS)).status_code == 200
