"""Clock changes in the admin: the two fields of the form, and the marks in the preview."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from jobs.admin.preview import Question, preview
from jobs.models import Job
from tests.db.admin_site import client_with, page
from tests.db.test_admin_jobs import add, change
from tests.factories import planned_job

SPRING = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)  # Riga skips 03:00 to 04:00 on 2026-03-29
AUTUMN = datetime(2026, 10, 23, 12, 0, tzinfo=UTC)  # and repeats it on 2026-10-25
SCRIPT = Path(__file__).parents[2] / "jobs/static/jobs/preview.js"


def rows(schedule: str, now: datetime, **fields: str) -> list[tuple[str, str]]:
    """The rows of the preview: the time on the wall, and what is said of a clock change."""
    html = preview(Question(schedule, "Europe/Riga", **fields), now)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(<td>.*?)</tr>", html)]
    return [(row[1], row[4] if len(row) > 4 else "") for row in cells]


def marked(schedule: str, now: datetime, **fields: str) -> list[tuple[str, str]]:
    return [row for row in rows(schedule, now, **fields) if row[1]]


def test_a_time_that_the_gap_moves_is_marked() -> None:
    assert rows("30 3 * * *", SPRING, gap="after")[:3] == [
        ("2026-03-28 03:30:00", ""),
        ("2026-03-29 04:00:00", "moved: the clock goes forward"),
        ("2026-03-30 03:30:00", ""),
    ]


def test_a_time_that_is_skipped_is_shown_between_the_five_that_are_not() -> None:
    shown = rows("30 3 * * *", SPRING, gap="skip")
    assert [row[0][8:10] for row in shown] == ["28", "29", "30", "31", "01", "02"]
    assert shown[1] == ("2026-03-29 03:30:00", "skipped: the clock goes forward")
    html = preview(Question("30 3 * * *", "Europe/Riga", gap="skip"), SPRING)
    assert html.count('<tr class="cn-not-fired">') == 1
    assert html.count("<tr><td>") == 5


def test_several_times_in_one_gap_are_one_row() -> None:
    told = [("2026-03-29 03:00:00", "skipped: the clock goes forward (3 more with it)")]
    assert marked("0,15,30,45 3 * * *", SPRING.replace(day=28), gap="skip") == told
    assert marked("*/15 3 * * *", SPRING.replace(day=28)) == told


def test_a_skipped_time_stands_before_the_one_right_after_the_gap() -> None:
    shown = rows("0 3,4 * * *", SPRING.replace(day=28), gap="skip")
    assert shown[:2] == [("2026-03-29 03:00:00", "skipped: the clock goes forward"), ("2026-03-29 04:00:00", "")]


def test_a_skipped_time_is_shown_also_when_nothing_else_is_left() -> None:
    html = preview(Question("0 30 3 29 3 ? 2026", "Europe/Riga", gap="skip"), SPRING)
    assert "skipped: the clock goes forward" in html
    assert "It never fires from now on." in html
    assert marked("30 3 * * *", SPRING, gap="skip", ends_at="2026-03-29 12:00") != []
    assert marked("30 3 * * *", SPRING, gap="skip", ends_at="2026-03-28 12:00") == []
    assert marked("30 3 * * *", SPRING, gap="skip", starts_at="2026-03-29 12:00") == []


@pytest.mark.parametrize(
    ("repeated", "notes"),
    [
        ("", ["first time this hour"]),
        ("first", ["first time this hour"]),
        ("second", ["second time this hour"]),
        ("both", ["first time this hour", "second time this hour"]),
    ],
)
def test_times_of_the_repeated_hour_are_marked(repeated: str, notes: list[str]) -> None:
    assert marked("30 3 * * *", AUTUMN, repeated=repeated) == [("2026-10-25 03:30:00", note) for note in notes]


def test_without_a_clock_change_there_is_no_column_for_it() -> None:
    assert "Clock change" in preview(Question("30 3 * * *", "Europe/Riga"), SPRING)
    assert "Clock change" not in preview(Question("30 3 * * *", "Europe/Riga"), SPRING.replace(month=6))


def test_an_unknown_option_is_named() -> None:
    html = preview(Question("30 3 * * *", "Europe/Riga", gap="<b>"), SPRING)
    assert "gap: &#x27;&lt;b&gt;&#x27; is not known; allowed are after, skip" in html


def test_the_script_asks_for_every_field_that_the_preview_knows() -> None:
    found = re.search(r"FIELDS = \[(.*?)\]", SCRIPT.read_text())
    assert found
    assert set(re.findall(r'"(\w+)"', found[1])) >= {"gap", "repeated"}
    assert set(re.findall(r'"(\w+)"', found[1])) == set(Question.__dataclass_fields__)


@pytest.mark.django_db
def test_the_view_follows_the_two_fields() -> None:
    question = {"schedule": "@at 2030-10-27 03:30", "timezone": "Europe/Riga", "repeated": "second"}
    html = client_with("view_job").get(reverse("admin:jobs_job_preview"), question).content.decode()
    assert "<td>2030-10-27 03:30:00</td><td>EET, UTC+02:00</td>" in html
    assert "second time this hour" in html


@pytest.mark.django_db
def test_the_form_saves_both_fields_and_shows_them(admin_client: Client) -> None:
    assert add(admin_client, gap="skip", repeated="both") == {}
    job = Job.objects.get()
    assert (job.gap, job.repeated) == ("skip", "both")
    html = page(admin_client, "admin:jobs_job_change", job.pk)
    assert '<option value="skip" selected>Skip it</option>' in html
    assert '<option value="both" selected>Run both times</option>' in html


@pytest.mark.django_db
def test_a_change_in_the_form_is_planned_anew(admin_client: Client) -> None:
    job = planned_job(datetime(2030, 1, 1, tzinfo=UTC), name="nightly", schedule="0 2 * * *", timezone="Europe/Riga")
    assert change(admin_client, job) == {}
    assert Job.objects.get().planned
    assert change(admin_client, job, repeated="second") == {}
    assert not Job.objects.get().planned


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["gap", "repeated"])
def test_an_unknown_value_is_refused_at_its_field(admin_client: Client, field: str) -> None:
    errors = add(admin_client, **{field: "never"})
    assert list(errors) == [field]


@pytest.mark.django_db
def test_one_time_that_would_be_skipped_is_refused_at_the_schedule(admin_client: Client) -> None:
    errors = add(admin_client, schedule="@at 2026-03-29 03:30", gap="skip")
    assert list(errors) == ["schedule"]
    assert "write a time that exists" in errors["schedule"][0]
