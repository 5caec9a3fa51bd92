"""What the admin shows of jobs that run after others, and how that is edited there."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Run, Upstream
from jobs.tick import tick
from tests.db.admin_site import client_with, page
from tests.factories import NOON, make_job, planned_job
from tests.family import end, job_after, of, settle_all

pytestmark = pytest.mark.django_db

CHANGE = "admin:jobs_job_change"
RUN_WITH = "admin:jobs_job_run_with"


def sent(client: Client, job: Job, upstreams: list[tuple[Upstream | None, Job, bool]], **fields: Any) -> HttpResponse:
    """Send the form of a job as it is, with these upstreams: the row, the upstream, whether it is to be deleted."""
    answer: Any = client.get(reverse(CHANGE, args=[job.pk]))
    form = answer.context["adminform"].form
    data: dict[str, Any] = {}
    for name in form.fields:
        value = form[name].value()
        if value is not None and value is not False:
            data[name] = value
    data |= {
        "upstreams-TOTAL_FORMS": len(upstreams),
        "upstreams-INITIAL_FORMS": sum(bool(row) for row, *_ in upstreams),
    }
    for place, (row, upstream, delete) in enumerate(upstreams):
        data |= {f"upstreams-{place}-job": job.pk, f"upstreams-{place}-upstream": upstream.pk}
        data |= {f"upstreams-{place}-id": row.pk} if row else {}
        data |= {f"upstreams-{place}-DELETE": "on"} if delete else {}
    return client.post(reverse(CHANGE, args=[job.pk]), data | fields)  # type: ignore[return-value]


def problems(answer: HttpResponse) -> str:
    """What the page says is wrong."""
    assert answer.status_code == 200, answer
    context: Any = answer.context  # type: ignore[attr-defined]
    return str(context["errors"])


def test_upstreams_are_added_and_removed_on_the_page_of_the_job(admin_client: Client) -> None:
    job, first, second = make_job(schedule="@after"), make_job(), make_job()
    answer = sent(admin_client, job, [(None, first, False), (None, second, False)])
    assert answer.status_code == 302, problems(answer)
    assert set(job.upstreams.values_list("upstream", flat=True)) == {first.pk, second.pk}
    rows = list(job.upstreams.order_by("id"))
    answer = sent(admin_client, job, [(rows[0], first, True), (rows[1], second, False)])
    assert answer.status_code == 302, problems(answer)
    assert [row.upstream for row in job.upstreams.all()] == [second]


def test_a_cycle_is_refused_by_name(admin_client: Client) -> None:
    first = job_after(name="a")
    second = job_after(first, name="b")
    third = job_after(second, name="c")
    assert "this makes a cycle: a → b → c → a" in problems(sent(admin_client, first, [(None, third, False)]))
    assert not first.upstreams.exists()


def test_another_schedule_is_refused(admin_client: Client) -> None:
    job = make_job(schedule="@daily")
    told = problems(sent(admin_client, job, [(None, make_job(), False)]))
    assert "schedule: a job that runs after others has the schedule @after" in told
    assert not job.upstreams.exists()


def test_it_is_searched_for(admin_client: Client) -> None:
    job = job_after()
    make_job(name="nightly load")
    assert "autocomplete" in page(admin_client, CHANGE, job.pk)
    query = {"term": "load", "app_label": "jobs", "model_name": "upstream", "field_name": "upstream"}
    found: Any = admin_client.get(reverse("admin:autocomplete"), query)
    assert [one["text"] for one in found.json()["results"]] == ["nightly load"]


def test_who_may_only_look_finds_it_read_only() -> None:
    above, below = make_job(name="above"), None
    job = job_after(above, name="in between")
    below = job_after(job, name="below", upstream_rule="any_failed")
    client = client_with("view_job")
    html = page(client, CHANGE, job.pk)
    assert "upstreams-TOTAL_FORMS" not in html or 'name="upstreams-0-upstream"' not in html
    assert "above" in html
    link = reverse(CHANGE, args=[below.pk])
    assert f'<a href="{link}">below</a>: any has failed' in html
    answer = client.post(reverse(CHANGE, args=[job.pk]), {})
    assert answer.status_code == 403


def test_the_page_of_a_run_links_what_it_waits_for(admin_client: Client) -> None:
    root, other = planned_job(NOON, name="load"), planned_job(NOON, name="check")
    job = job_after(root, other)
    tick(NOON)
    failed = end(of(root), "fail")
    html = page(admin_client, "admin:jobs_run_change", of(job).pk)
    assert "Runs after" in html
    assert reverse("admin:jobs_run_change", args=[failed.pk]) in html
    assert reverse("admin:jobs_run_change", args=[of(other).pk]) in html
    settle_all()
    assert "the upstream load failed: no luck" in page(admin_client, "admin:jobs_run_change", of(job).pk)
    assert "Runs after" not in page(admin_client, "admin:jobs_run_change", failed.pk)


def test_run_with_offers_the_jobs_below_where_there_are_some(admin_client: Client) -> None:
    job = make_job()
    assert "With the jobs after it" not in page(admin_client, RUN_WITH, job.pk)
    child = job_after(job)
    assert "With the jobs after it" in page(admin_client, RUN_WITH, job.pk)
    empty = {"args": "", "kwargs": "", "at": ""}
    assert admin_client.post(reverse(RUN_WITH, args=[job.pk]), empty).status_code == 302
    assert Run.objects.count() == 1
    Run.objects.all().delete()
    assert admin_client.post(reverse(RUN_WITH, args=[job.pk]), {**empty, "children": "on"}).status_code == 302
    root = Run.objects.get(job=job)
    below = Run.objects.get(job=child)
    assert below.origin == root.pk
    assert "Taken along by" in page(admin_client, "admin:jobs_run_change", below.pk)
    assert "Taken along by" in page(admin_client, "admin:jobs_run_change", root.pk) or root.origin == root.pk
