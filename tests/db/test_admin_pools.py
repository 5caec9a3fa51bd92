"""The pages of pools: how full they are and for whom, the limits that an operator sets, and who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs import limits
from jobs.admit import admit
from jobs.clock import database_now
from jobs.models import Job, Pool
from jobs.trigger import Request, run_many
from tests.db.admin_site import client_with, page, press, told
from tests.factories import NOON, make_worker, planned_job, running_run

pytestmark = pytest.mark.django_db

POOLS = "admin:jobs_pool_changelist"
POOL = "admin:jobs_pool_change"
FORM = {
    "name": "erp",
    "description": "",
    "slots": "4",
    "rate": "",
    "period": "60",
    "ageing": "300",
    "breaker_failures": "",
    "breaker_percent": "",
    "breaker_window": "20",
    "breaker_exceptions": "",
    "breaker_pause": "300",
}


def send(client: Client, pool: Pool | None = None, **fields: str) -> dict[str, list[str]]:
    """Send the form of a pool; the errors by field, none when it was saved."""
    address = reverse("admin:jobs_pool_add") if pool is None else reverse(POOL, args=[pool.pk])
    answer: Any = client.post(address, FORM | fields)
    return {} if answer.status_code == 302 else dict(answer.context["adminform"].form.errors)


def busy_pool(**fields: Any) -> tuple[Pool, Job]:
    """A pool of two slots, both taken, for which three runs wait."""
    pool = Pool.objects.create(name="erp", **{"slots": 2, **fields})
    job = planned_job(NOON.replace(year=2100), pool=pool, overlap="allow", name="<b>import</b>")
    now = database_now()
    run_many(job.pk, [Request()] * 5, now)
    admit(now)
    limits.explain(now)
    return pool, job


def test_the_list_tells_how_full_a_pool_is(admin_client: Client) -> None:
    busy_pool(rate=10)
    Pool.objects.create(name="stopped", slots=0)
    html = page(admin_client, POOLS)
    assert '<meter max="2" value="2"></meter> 2 of 2' in html
    assert "2 of 10 in 60 s" in html
    assert '<td class="field-waiting">3</td>' in html
    assert '<span class="cn-error">stopped</span>, 0 running' in html


def test_the_page_tells_who_holds_the_slots_and_what_waits(admin_client: Client) -> None:
    pool, job = busy_pool()
    running_run(database_now(), planned_job(), worker=make_worker(database_now()))
    html = page(admin_client, POOL, pool.pk)
    assert "waits for a slot in the pool erp (2)" in html
    assert "&lt;b&gt;import&lt;/b&gt;" in html
    assert "<b>import</b>" not in html
    assert html.count(reverse("admin:jobs_job_change", args=[job.pk])) == 1
    assert html.count("Scheduled</span>") == 2, "both holders"


def test_a_pool_that_is_not_used_has_a_page(admin_client: Client) -> None:
    pool = Pool.objects.create(name="idle", slots=1)
    html = page(admin_client, POOL, pool.pk)
    for words in ("Nobody at the moment.", "None.", "No job is in it.", "no limit", "No breaker"):
        assert words in html, words


def test_an_operator_sets_the_limits_and_they_count_at_once(admin_client: Client) -> None:
    assert send(admin_client) == {}
    pool = Pool.objects.get()
    job = planned_job(NOON.replace(year=2100), pool=pool, overlap="allow")
    run_many(job.pk, [Request()] * 9, NOON)
    assert admit(NOON) == 4
    assert send(admin_client, pool, slots="6", rate="100", period="1", breaker_failures="5") == {}
    assert admit(NOON) == 2
    pool.refresh_from_db()
    assert (pool.slots, pool.rate, pool.period, pool.breaker_failures) == (6, 100, 1, 5)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("name", "", "required"),
        ("slots", "-1", "greater than or equal to 0"),
        ("slots", "1000001", "less than or equal to 1000000"),
        ("rate", "0", "greater than or equal to 1"),
        ("period", "0", "greater than or equal to 1"),
        ("period", "86401", "less than or equal to 86400"),
        ("ageing", "0", "greater than or equal to 1"),
        ("breaker_exceptions", "no class!", "not the name"),
    ],
)
def test_what_makes_no_sense_is_refused_on_its_field(admin_client: Client, field: str, value: str, why: str) -> None:
    errors = send(admin_client, None, **{field: value})
    assert list(errors) == [field]
    assert why in str(errors[field])
    assert not Pool.objects.exists()


def test_a_pool_with_jobs_stays(admin_client: Client) -> None:
    pool, job = busy_pool()
    address = reverse("admin:jobs_pool_delete", args=[pool.pk])
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert "because jobs are in it" in told(admin_client)
    assert Pool.objects.exists()
    chosen = {"action": "delete_selected", "_selected_action": [str(pool.pk)], "post": "yes"}
    admin_client.post(reverse(POOLS), chosen)
    assert Pool.objects.exists()
    job.delete()
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not Pool.objects.exists()


def test_who_may_only_look_changes_nothing() -> None:
    pool, _ = busy_pool(circuit="open", circuit_changed_at=database_now() - timedelta(minutes=1), breaker_failures=2)
    viewer = client_with("view_pool")
    assert "Circuit open" in page(viewer, POOL, pool.pk)
    assert viewer.post(reverse(POOL, args=[pool.pk]), FORM).status_code == 403
    assert press(viewer, pool, "close_circuit").status_code == 403
    assert viewer.get(reverse("admin:jobs_pool_add")).status_code == 403
    assert client_with("view_job", name="other").get(reverse(POOLS)).status_code == 403
    pool.refresh_from_db()
    assert (pool.slots, pool.circuit) == (2, "open")


def test_its_circuit_is_closed_by_a_button(admin_client: Client) -> None:
    pool, _ = busy_pool(circuit="open", circuit_changed_at=database_now(), breaker_failures=2)
    press(admin_client, pool, "close_circuit")
    assert "its circuit is closed" in told(admin_client)
    pool.refresh_from_db()
    assert pool.circuit == "closed"
    assert admit(database_now()) == 2
