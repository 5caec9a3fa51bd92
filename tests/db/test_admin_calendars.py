"""The page of calendars, and what it does to the preview of a job."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from jobs.admin.preview import Question, preview
from jobs.models import Blackout, Calendar, Freeze, Job
from tests.db.admin_site import client_with, page, told
from tests.factories import make_job

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 22, 12, 0, tzinfo=UTC)
ADD = "admin:jobs_calendar_add"
CHANGE = "admin:jobs_calendar_change"
DELETE = "admin:jobs_calendar_delete"
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20300105
RRULE:FREQ=YEARLY
SUMMARY:Inventory
END:VEVENT
END:VCALENDAR
"""


def posted(**fields: Any) -> dict[str, Any]:
    """What the page sends, with one freeze and one blackout."""
    return {
        "name": "Latvia",
        "timezone": "Europe/Riga",
        "countries": "LV",
        "weekend": "SAT, SUN",
        "freezes-TOTAL_FORMS": "1",
        "freezes-INITIAL_FORMS": "0",
        "freezes-0-starts_at": "2026-07-01 18:00",
        "freezes-0-ends_at": "2026-07-02 06:00",
        "freezes-0-reason": "release",
        "blackouts-TOTAL_FORMS": "1",
        "blackouts-INITIAL_FORMS": "0",
        "blackouts-0-schedule": "0 2 * * *",
        "blackouts-0-minutes": "30",
        "blackouts-0-reason": "backup",
    } | fields


def file(content: str | bytes, name: str = "team.ics") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def errors(client: Client, **fields: Any) -> str:
    answer = client.post(reverse(ADD), posted(**fields))
    assert answer.status_code == 200, "it was accepted"
    assert not Calendar.objects.exists()
    return answer.content.decode()


def test_a_calendar_is_made_with_its_parts_in_its_own_zone() -> None:
    client = client_with("add_calendar", "view_calendar", "change_calendar")
    assert client.post(reverse(ADD), posted(ical=file(ICS))).status_code == 302
    calendar = Calendar.objects.get()
    freeze = Freeze.objects.get()
    assert (freeze.starts_at, freeze.ends_at) == (
        datetime(2026, 7, 1, 15, tzinfo=UTC),
        datetime(2026, 7, 2, 3, tzinfo=UTC),
    )
    assert Blackout.objects.get().schedule == "0 2 * * *"
    assert "Inventory" in calendar.ical
    html = page(client, CHANGE, calendar.pk)
    assert "1 event, " in html
    assert "2026-07-01 18:00:00" in html
    assert "backup" in html.partition("Blocks next")[2].partition("</table>")[0]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"countries": "LV, XX"}, "no country XX is known"),
        ({"countries": "DE-XX"}, "DE has no subdivision XX; it has BB"),
        ({"timezone": "Mars/Base"}, "write a name such as Europe/Riga"),
        ({"weekend": "SAT, DAY"}, "is no day of the week"),
        ({"weekend": "MON,TUE,WED,THU,FRI,SAT,SUN"}, "leaves no business day"),
        ({"freezes-0-ends_at": "2026-07-01 18:00"}, "must be after the start"),
        ({"freezes-0-ends_at": "tomorrow"}, "is not understood; write it as"),
        ({"freezes-0-reason": ""}, "This field is required"),
        ({"blackouts-0-schedule": "0 25 * * *"}, "hour: 25 is not in 0-23"),
        ({"blackouts-0-schedule": "@after"}, "has no fire time any more"),
        ({"blackouts-0-schedule": "* * * * *"}, "without a break; write a freeze instead"),
        ({"blackouts-0-minutes": "0"}, "greater than or equal to 1"),
        ({"ical": file("hello")}, "is no iCalendar file"),
        ({"ical": file(b"\xff\xfe\x00")}, "not text in UTF-8"),
        ({"ical": file("BEGIN:VCALENDAR\nEND:VCALENDAR\n")}, "has no events"),
        ({"ical": file(ICS.replace("YEARLY", "MINUTELY"))}, "FREQ=MINUTELY is not allowed"),
        ({"ical": file(ICS.replace("20300105", "soon"))}, "event 1 (Inventory): DTSTART"),
        ({"ical": file("x" * 1_048_577)}, "allowed are 1,048,576 (1 MB)"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(fields: dict[str, Any], words: str) -> None:
    assert words in errors(client_with("add_calendar"), **fields)


def test_an_edit_without_a_file_keeps_the_one_that_is_there_until_it_is_removed() -> None:
    calendar = Calendar.objects.create(name="team", ical=ICS)
    job = make_job(calendar=calendar)
    Job.objects.update(planned=True)
    client = client_with("change_calendar", "view_calendar")
    plain = {"name": "team", "timezone": "UTC", "weekend": "SUN"}
    none = {f"{part}-{kind}_FORMS": "0" for part in ("freezes", "blackouts") for kind in ("TOTAL", "INITIAL")}
    assert client.post(reverse(CHANGE, args=[calendar.pk]), plain | none).status_code == 302
    assert Calendar.objects.get().ical == ICS
    assert not Job.objects.get(pk=job.pk).planned
    assert client.post(reverse(CHANGE, args=[calendar.pk]), plain | none | {"forget": "on"}).status_code == 302
    assert Calendar.objects.get().ical == ""


def test_a_freeze_is_edited_and_deleted_on_the_page() -> None:
    calendar = Calendar.objects.create(name="team", timezone="Europe/Riga")
    start = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # the second 03:30 of that night
    freeze = Freeze.objects.create(calendar=calendar, starts_at=start, ends_at=start + timedelta(days=1), reason="a")
    client = client_with("change_calendar", "view_calendar")
    fields = posted(countries="", **{"freezes-INITIAL_FORMS": "1", "blackouts-TOTAL_FORMS": "0"}) | {
        "freezes-0-id": freeze.pk,
        "freezes-0-calendar": calendar.pk,
        "freezes-0-starts_at": "2026-10-25 03:30:00",
        "freezes-0-ends_at": "2026-10-26 03:30:00",
        "freezes-0-reason": "longer",
    }
    assert client.post(reverse(CHANGE, args=[calendar.pk]), fields).status_code == 302
    freeze.refresh_from_db()
    assert (freeze.reason, freeze.starts_at) == ("longer", start)
    fields["freezes-0-DELETE"] = "on"
    assert client.post(reverse(CHANGE, args=[calendar.pk]), fields).status_code == 302
    assert not Freeze.objects.exists()


def test_a_calendar_in_use_is_not_deleted_and_the_message_names_the_jobs() -> None:
    calendar = Calendar.objects.create(name="Latvia")
    job = make_job(name="invoices", calendar=calendar)
    client = client_with("delete_calendar", "view_calendar", "change_calendar")
    answer = client.post(reverse(DELETE, args=[calendar.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert "The calendar Latvia cannot be deleted, because the job invoices goes by it." in told(client)
    job.delete()
    Freeze.objects.create(calendar=calendar, starts_at=NOW, ends_at=NOW + timedelta(hours=1), reason="a")
    assert client.post(reverse(DELETE, args=[calendar.pk]), {"post": "yes"}).status_code == 302
    assert not Calendar.objects.exists()


def test_who_may_only_look_changes_nothing() -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", ical=ICS)
    Freeze.objects.create(calendar=calendar, starts_at=NOW, ends_at=NOW + timedelta(hours=1), reason="release")
    client = client_with("view_calendar")
    html = page(client, CHANGE, calendar.pk)
    assert "release" in html
    assert "BEGIN:VCALENDAR" not in html
    assert 'type="file"' not in html
    assert client.post(reverse(CHANGE, args=[calendar.pk]), posted()).status_code == 403
    assert client.post(reverse(DELETE, args=[calendar.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse(ADD)).status_code == 403
    assert client_with("view_job", name="other").get(reverse(CHANGE, args=[calendar.pk])).status_code == 403


def test_the_list_tells_what_blocks_next() -> None:
    Calendar.objects.create(name="Latvia", countries="LV")
    make_job(calendar=Calendar.objects.create(name="empty"))
    html = page(client_with("view_calendar"), "admin:jobs_calendar_changelist")
    assert "Latvia: " in html


def question(calendar: Calendar, kind: str, schedule: str = "0 9 * * *", **fields: str) -> Question:
    return Question(schedule, "Europe/Riga", calendar=str(calendar.pk), on_calendar=kind, **fields)


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("skip", "Latvia: Midsummer Eve, until 2026-06-25 00:00 EEST", "skipped: calendar Latvia: Latvia: Day off"),
        ("postpone", "runs at 2026-06-25 00:00 EEST: postponed by the calendar Latvia", "one run stands for all"),
        ("before", "runs at 2026-06-21 23:59 EEST: run before the block", "and was due before it"),
    ],
)
def test_the_preview_marks_what_the_calendar_blocks_and_what_becomes_of_it(kind: str, first: str, second: str) -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", timezone="Europe/Riga")
    html = preview(question(calendar, kind), NOW.replace(day=21))
    rows = html.split("<tr")[2:]
    assert len(rows) == 5
    blocked = [row for row in rows if "cn-not-fired" in row]
    assert any(first in row for row in blocked)
    assert any(second in row for row in blocked)


def test_the_preview_goes_by_the_business_days_of_the_chosen_calendar() -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", timezone="Europe/Riga", weekend="SUN")
    html = preview(question(calendar, "skip", "0 9 1B JAN *"), NOW)
    assert "2027-01-02 09:00:00" in html  # a Saturday; the first is a holiday
    assert "At 09:00 on the first business day of the month in January" in html


def test_the_preview_names_a_calendar_that_is_not_there() -> None:
    assert "calendar: there is no such calendar" in preview(Question("@daily", "UTC", calendar="4711"), NOW)
    assert "calendar: there is no such calendar" in preview(Question("@daily", "UTC", calendar="x"), NOW)


def test_the_page_and_the_list_of_jobs_cope_with_calendars_and_with_jobs_after_others() -> None:
    calendar = Calendar.objects.create(name="Latvia", countries="LV", timezone="Europe/Riga", ical=ICS)
    job = make_job(schedule="0 9 2B * *", timezone="Europe/Riga", calendar=calendar)
    after = make_job(schedule="@AFTER")
    client = client_with("view_job", "change_job")
    assert "At 09:00 on the second business day of the month" in page(client, "admin:jobs_job_changelist")
    assert "has no fire times of its own" in page(client, "admin:jobs_job_change", after.pk)
    html = page(client, "admin:jobs_job_change", job.pk)
    assert f'<option value="{calendar.pk}" selected>' in html
    assert "BEGIN:VCALENDAR" not in html
