"""The table of schedules in the README: each example parses, and means what it says."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.models import Job
from jobs.schedules import parse

README = Path(__file__).parents[2] / "README.md"
RIGA_MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * MON-FRI", "2026-11-23 02:30:00"),
        ("*/15 * * * * *", "2026-11-20 10:00:15"),
        ("0 0 9 1 1 ? 2027", "2027-01-01 09:00:00"),
        ("0 6 LW * *", "2026-11-30 06:00:00"),
        ("0 6 L * *", "2026-11-30 06:00:00"),
        ("0 6 L-3 * *", "2026-11-27 06:00:00"),
        ("0 6 15W * *", "2026-12-15 06:00:00"),
        ("0 6 * * FRIL", "2026-11-27 06:00:00"),
        ("0 6 * * MON#2", "2026-12-14 06:00:00"),
        ("@daily", "2026-11-21 00:00:00"),
        ("@every 1h30m", "2026-11-20 11:00:00"),
        ("@at 2027-01-01T09:00", "2027-01-01 09:00:00"),
    ],
)
def test_a_schedule_fires_when_the_readme_says(text: str, expected: str) -> None:
    schedule = parse(text, "Europe/Riga")
    following = schedule.next_after(RIGA_MORNING)
    assert following is not None
    assert f"{following:%Y-%m-%d %H:%M:%S}" == expected
    assert schedule.describe()


@pytest.mark.parametrize(
    ("options", "spring", "autumn"),
    [
        ({}, ["04:00+0300"], ["03:30+0300"]),
        ({"gap": "skip"}, [], ["03:30+0300"]),
        ({"repeated": "second"}, ["04:00+0300"], ["03:30+0200"]),
        ({"repeated": "both"}, ["04:00+0300"], ["03:30+0300", "03:30+0200"]),
    ],
)
def test_a_job_decides_what_a_clock_change_does_to_it(
    options: dict[str, str], spring: list[str], autumn: list[str]
) -> None:
    job = Job(name="nightly", task="probe.add", schedule="30 3 * * *", timezone="Europe/Riga", **options)
    for day, expected in (
        (datetime(2026, 3, 28, 22, tzinfo=UTC), spring),
        (datetime(2026, 10, 24, 21, tzinfo=UTC), autumn),
    ):
        fires = job.parsed_schedule().between(day, day + timedelta(hours=20))
        assert [f"{fire:%H:%M%z}" for fire in fires] == expected


def test_every_example_in_the_readme_parses() -> None:
    table = README.read_text().partition("## Schedules")[2].partition("## What a job")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")][1:]
    examples = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    assert len(examples) >= 15
    for text in examples:
        parse(text if " " in text or text.startswith("@") else _as_a_day(text), "UTC", key="invoices")


def _as_a_day(text: str) -> str:
    """A cron text for a lone word: a day of the month, or of the week."""
    return f"0 6 * * {text}" if text[:3] in ("FRI", "MON") else f"0 6 {text} * *"


def test_a_bad_text_names_the_part_and_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=re.escape("hour: 25 is not in 0-23")):
        parse("0 25 * * *", "UTC")
