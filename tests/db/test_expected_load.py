"""The command `expected_load`: what it prints, for people and as JSON."""

import json
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from jobs.clock import database_now
from jobs.models import Job
from jobs.plan import plan
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("expected_load", *arguments, stdout=out)
    return out.getvalue()


def a_day() -> None:
    for number in range(40):
        make_job(name=f"report {number:02}", schedule="0 2 * * *", timezone="UTC")
    make_job(name="hourly", schedule="30 * * * *", timezone="UTC")
    plan(database_now())


def test_it_tells_the_peak_each_hour_and_what_to_do() -> None:
    a_day()
    text = printed()
    assert "64 runs are expected from " in text
    assert "The busiest minute has 40, at " in text
    assert " 02:00; the average has 0.0." in text
    (two,) = [line for line in text.splitlines() if " 02:00       41   02:00       40  " in line]
    assert two.endswith("#" * 40)
    assert sum(line.endswith("1  #") for line in text.splitlines()) >= 22
    assert "  1. give the 40 jobs with 0 2 * * * the schedule H 2 * * *" in text
    assert "the peak goes from 40 to " in text
    assert "(the jobs report 00, report 01, report 02 and 37 more)" in text
    assert max(map(len, text.splitlines())) <= 120


def test_as_json_it_has_every_minute() -> None:
    a_day()
    found = json.loads(printed("--json", "--hours", "48", "--most", "1"))
    assert len(found["per_minute"]) == 48 * 60
    assert sum(found["per_minute"]) == found["total"] == 128
    assert (found["peak"], len(found["busiest"]), found["unread_jobs"]) == (40, 2, 0)
    start = datetime.fromisoformat(found["start"])
    assert timedelta(0) <= start - database_now() + timedelta(minutes=1) <= timedelta(minutes=2)
    (suggestion,) = found["suggestions"]
    assert (suggestion["field"], suggestion["value"], len(suggestion["jobs"])) == ("schedule", "H 2 * * *", 40)
    assert (suggestion["peak_before"], suggestion["minutes_before"]) == (40, 2)


def test_an_empty_day_a_single_job_and_one_that_cannot_be_read() -> None:
    assert "0 runs are expected" in printed()
    assert json.loads(printed("--json"))["busiest"] == []
    make_job(schedule="0 2 * * *")
    make_job(name="broken", schedule="0 3 * * *")
    plan(database_now())
    Job.objects.filter(name="broken").update(planned_timezone="Mars/Olympus")
    text = printed()
    assert "1 runs are expected" not in text
    assert "1 run is expected" in text
    assert "1 job is left out, because its schedule cannot be read." in text
    assert "There is nothing to suggest" in text


def test_hours_that_make_no_sense_are_refused() -> None:
    with pytest.raises(CommandError, match="hours: 0 is not in 1-744"):
        printed("--hours", "0")
