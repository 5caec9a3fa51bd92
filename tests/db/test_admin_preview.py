"""The live preview: words and fire times in the job's own zone, or the part that is wrong; never a failure."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.admin.preview import Question, preview
from tests.db.admin_site import client_with
from tests.factories import make_job

NOW = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
ADDRESS = "/admin/jobs/job/preview/"


def test_it_shows_five_fires_across_a_clock_change() -> None:
    html = preview(Question("30 9 * * *", "Europe/Riga"), NOW)
    assert "At 09:30 every day" in html
    assert html.count("<tr><td>") == 5
    # The clocks of Riga go forward on 2026-03-29: same time on the wall, another offset.
    assert "<td>2026-03-29 09:30:00</td><td>EEST, UTC+03:00</td><td>in 18 h</td>" in html
    assert "EET, UTC+02:00" not in html


def test_zones_without_letters_show_their_offset() -> None:
    assert "<td>UTC-03:00</td>" in preview(Question("0 0 * * *", "America/Sao_Paulo"), NOW)


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (Question("61 * * * *", "UTC"), "minute"),
        (Question("* 25 * * *", "UTC"), "hour"),
        (Question("0 2 * * *", "Mars/Olympus"), "time zone"),
        (Question("@never", "UTC"), "@never"),
        (Question("0 2 * * *", "UTC", starts_at="tomorrow"), "start"),
        (Question("0 2 * * *", "UTC", ends_at="9999-12-31"), "end"),
    ],
)
def test_an_error_names_the_bad_part(question: Question, part: str) -> None:
    html = preview(question, NOW)
    assert 'class="cn-error"' in html
    assert part in html


def test_the_bounds_are_read_in_the_jobs_zone() -> None:
    html = preview(Question("0 * * * *", "Asia/Tokyo", starts_at="2026-04-01 09:00", ends_at="2026-04-01T10:30"), NOW)
    assert html.count("<tr><td>") == 2
    assert "<td>2026-04-01 09:00:00</td>" in html
    assert "never fires again" in html


def test_a_schedule_without_fires_says_so() -> None:
    assert "never fires from now on" in preview(Question("@at 2020-01-01T09:00", "UTC"), NOW)


def test_what_is_typed_is_escaped() -> None:
    html = preview(Question("@<script>alert(1)</script>", "UTC"), NOW)
    assert "<script" not in html
    assert "&lt;script&gt;" in html


texts = st.text(max_size=60)
cron_like = st.lists(st.sampled_from([*"0123456789*/-,?LW#H ", "@every ", "@at ", "MON", "1h"]), max_size=30)


@settings(deadline=timedelta(seconds=2), max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    schedule=st.one_of(texts, cron_like.map("".join)),
    zone=st.one_of(texts, st.sampled_from(["UTC", "Europe/Riga", "../../etc/passwd", "a" * 5000, "\x00", "Europe"])),
    starts_at=st.one_of(st.just(""), texts, st.datetimes().map(str)),
)
def test_odd_input_is_answered(schedule: str, zone: str, starts_at: str) -> None:
    assert preview(Question(schedule, zone, "name", starts_at), NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("permission", ["add_job", "change_job", "view_job"])
def test_the_view_needs_a_permission_on_jobs(permission: str) -> None:
    question = {"schedule": "0 2 * * *", "timezone": "Europe/Riga"}
    answer = client_with(permission).get(ADDRESS, question)
    assert answer.status_code == 200
    assert "At 02:00 every day" in answer.content.decode()
    assert client_with("view_run", name="other").get(ADDRESS, question).status_code == 403
    assert Client().get(ADDRESS, question).status_code == 302


@pytest.mark.django_db
def test_the_view_is_read_only_and_survives_bad_bytes() -> None:
    client = client_with("view_job")
    assert client.post(ADDRESS).status_code == 405
    for query in ("", "schedule=%ff%fe&timezone=%00", "schedule=" + "*" * 5000, "schedule=%00&name=%ed%a0%80"):
        assert client.get(f"{ADDRESS}?{query}").status_code == 200


@pytest.mark.django_db
def test_the_page_of_a_job_has_it_before_any_script_runs() -> None:
    job = make_job(schedule="0 2 * * *", timezone="Europe/Riga")
    html = client_with("view_job").get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "At 02:00 every day" in html
    assert f'data-url="{ADDRESS}"' in html
