"""The pages of workers: their heartbeat by the database's clock, their load, and what they are doing."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from jobs.clock import database_now
from jobs.models import Worker
from tests.db.admin_site import client_with, page
from tests.factories import make_worker, running_run

pytestmark = pytest.mark.django_db

WORKERS = "admin:jobs_worker_changelist"


def test_the_list_tells_heartbeat_and_load(admin_client: Client) -> None:
    worker = make_worker(database_now(), "busy@host")
    Worker.objects.filter(pk=worker.pk).update(running=1, queues=["celery", "reports"])
    html = page(admin_client, WORKERS)
    for words in ("busy@host", "Alive", "1 of 2", "celery, reports", "prefork", "ms ago"):
        assert words in html, words


@pytest.mark.parametrize(
    ("seconds", "draining", "word"),
    [(0, False, "Alive"), (0, True, "Draining"), (12, False, "Late"), (60, False, "Lost")],
)
def test_the_state_follows_the_databases_clock(
    admin_client: Client, seconds: int, *, draining: bool, word: str
) -> None:
    worker = make_worker(database_now() - timedelta(seconds=seconds))
    Worker.objects.filter(pk=worker.pk).update(draining=draining)
    assert f"{word}</span>" in page(admin_client, WORKERS)


def test_the_page_of_a_worker_tells_its_tasks_and_what_it_executes(admin_client: Client) -> None:
    worker = make_worker(database_now(), "<script>alert(1)</script>")
    run, _ = running_run(database_now(), worker=worker, name="<script>alert(2)</script>")
    html = page(admin_client, "admin:jobs_worker_change", worker.pk)
    assert "<li>probe.add</li>" in html
    assert reverse("admin:jobs_run_change", args=[run.pk]) in html
    assert "process" in html.lower()
    assert "<script>alert" not in html


def test_an_idle_worker_has_a_page(admin_client: Client) -> None:
    assert "Nothing at the moment" in page(admin_client, "admin:jobs_worker_change", make_worker().pk)


def test_workers_are_only_read(admin_client: Client) -> None:
    worker = make_worker()
    for verb in ("change", "delete"):
        address = reverse(f"admin:jobs_worker_{verb}", args=[worker.pk])
        assert admin_client.post(address, {"post": "yes", "name": "other"}).status_code == 403
    assert admin_client.get(reverse("admin:jobs_worker_add")).status_code == 403
    assert client_with("view_run").get(reverse(WORKERS)).status_code == 403
    assert Worker.objects.get().name == worker.name
