"""The daily report: its figures are those of the ledger."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from examples.tasks.report import COLUMNS, report_runs
from jobs.clock import database_now
from jobs.current import executing
from jobs.models import Job, Run
from jobs.states import State, Trigger
from tests.factories import make_job, running_run

DAY = datetime(2026, 3, 28, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def directory(settings: Settings, tmp_path: Path) -> Path:
    settings.EXAMPLES_DIR = tmp_path
    return tmp_path / "reports"


def ended_run(job: Job, scheduled_for: datetime, state: State = State.SUCCEEDED, **fields: Any) -> Run:
    """A row of the ledger."""
    return Run.objects.create(
        job=job,
        scheduled_for=scheduled_for,
        due_at=scheduled_for,
        finished_at=fields.pop("finished_at", scheduled_for),
        state=state,
        trigger=Trigger.SCHEDULE,
        task=job.task,
        queue=job.queue,
        priority=job.priority,
        timeout=job.timeout,
        **fields,
    )


def timed_run(job: Job, scheduled_for: datetime, late: float, seconds: float, **fields: Any) -> Run:
    """A success that began `late` seconds after its tick and took `seconds`."""
    begin = scheduled_for + timedelta(seconds=late)
    end = begin + timedelta(seconds=seconds)
    return ended_run(job, scheduled_for, started_at=begin, finished_at=end, lateness=timedelta(seconds=late), **fields)


def lines_of(result: dict[str, Any]) -> list[dict[str, str]]:
    with Path(result["file"]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_figures_are_those_of_the_ledger(directory: Path) -> None:
    job = make_job(name="Busy")
    for number in range(1, 22):  # 1-21 s long, 0.1-2.1 s late
        timed_run(job, DAY + timedelta(minutes=number), number / 10, number, retries=int(number > 18))
    ended_run(job, DAY + timedelta(hours=2), State.FAILED, retries=4)
    ended_run(job, DAY + timedelta(hours=3), State.CANCELLED)
    ended_run(job, DAY + timedelta(hours=4), State.SCHEDULED, finished_at=None)
    ended_run(job, DAY + timedelta(hours=5), State.SKIPPED, reason="the earlier run had not ended")
    ended_run(job, DAY + timedelta(hours=6), State.MISSED, reason="no beat was up", ticks=60)
    quiet = make_job(name="Äpfel, quiet")
    ended_run(quiet, DAY + timedelta(hours=1), State.MISSED, reason="no beat was up")

    result = report_runs(day="2026-03-28")

    assert result == {"file": str(directory / "runs-2026-03-28-UTC.csv"), "day": "2026-03-28", "jobs": 2}
    busy, other = lines_of(result)
    assert tuple(busy) == COLUMNS
    assert tuple(busy.values()) == (
        *("Busy", "24", "21", "1", "1", "1", "4", "1", "60"),
        *("11.000", "20.000", "1.100", "2.000"),
    )
    assert tuple(other.values()) == ("Äpfel, quiet", *("0",) * 7, "1", "", "", "", "")


def test_a_day_is_the_time_zones_own(directory: Path) -> None:
    """On 2026-03-29 Riga's day has 23 hours: from 22:00 UTC of the day before to 21:00."""
    job = make_job()
    begin, end = datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 21, tzinfo=UTC)
    for moment in (begin - timedelta(seconds=1), begin, end - timedelta(seconds=1), end):
        ended_run(job, moment)
    result = report_runs(timezone="Europe/Riga", day="2026-03-29")
    assert lines_of(result)[0]["succeeded"] == "2"
    assert result["file"] == str(directory / "runs-2026-03-29-Europe-Riga.csv")


def test_yesterday_is_counted_from_the_runs_own_time() -> None:
    """The run is for noon on 1 July UTC, whenever it is executed; on Kiritimati it is already 2 July."""
    _, claim = running_run()
    with executing(claim):
        assert report_runs()["day"] == "2026-06-30"
        assert report_runs(timezone="Pacific/Kiritimati")["day"] == "2026-07-01"


def test_outside_of_a_run_it_is_yesterday() -> None:
    before = database_now().date()
    reported = date.fromisoformat(report_runs()["day"]) + timedelta(days=1)
    assert before <= reported <= database_now().date()


def test_a_day_without_runs_gives_the_heading() -> None:
    result = report_runs(day="2020-01-01")
    assert Path(result["file"]).read_text().split() == [",".join(COLUMNS)]
    assert result["jobs"] == 0


def test_a_report_is_written_anew_and_only_its_owner_reads_it(directory: Path) -> None:
    first = report_runs(day="2026-03-28")
    ended_run(make_job(), DAY)
    assert report_runs(day="2026-03-28") == first | {"jobs": 1}
    (report,) = directory.iterdir()
    assert report.stat().st_mode & 0o077 == 0


def test_a_name_that_is_a_formula_is_no_formula_in_a_spreadsheet() -> None:
    ended_run(make_job(name='=HYPERLINK("http://example.org")'), DAY)
    assert lines_of(report_runs(day="2026-03-28"))[0]["job"] == '\'=HYPERLINK("http://example.org")'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timezone": "Europe/Rigga"}, "timezone: 'Europe/Rigga' is not a time zone"),
        ({"timezone": "Europe"}, "timezone: 'Europe' is not a time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone: '../../etc/passwd' is not a time zone"),
        ({"timezone": 2}, "timezone: 2 is not a text"),
        ({"day": "yesterday"}, "day: 'yesterday' is not a date"),
        ({"day": "2026-02-30"}, "day: '2026-02-30' is not a date"),
        ({"day": 20260228}, "day: 20260228 is not a date"),
        ({"day": "9999-12-31"}, "day: 9999-12-31 is not over in UTC"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        report_runs(**arguments)
