"""Odd schedules, zones and moments: refused, or answered; never another exception, and never for long."""

import contextlib
import time
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from jobs import schedules
from jobs.calendars import CalendarError, read_events, read_regions, read_weekend, read_zone
from tests.odd import FUZZED, crons, texts, zones

EDGES = [
    datetime(1, 1, 3, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(9999, 12, 29, tzinfo=UTC),
]
LONGEST = 2.0
"""Seconds; thousands of jobs are planned one after the other."""

moments = st.sampled_from(EDGES) | st.datetimes(EDGES[0].replace(tzinfo=None), EDGES[-1].replace(tzinfo=None)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


@FUZZED
@given(crons, st.sampled_from(["UTC", "Europe/Riga"]) | zones, moments)
@example("0 0 0 29 2 ? 2099", "UTC", EDGES[0])
@example("0 0 31 2,4 *", "UTC", EDGES[4])
def test_a_schedule_is_refused_or_answers(text: str, zone: str, moment: datetime) -> None:
    began = time.monotonic()
    try:
        schedule = schedules.parse(text, zone, key="a job")
    except ValueError:
        return
    upcoming, previous = schedule.next_after(moment), schedule.previous_before(moment)
    assert upcoming is None or upcoming > moment
    assert previous is None or previous < moment
    assert schedule.count_between(moment, moment + timedelta(hours=1)) >= 0
    assert time.monotonic() - began < LONGEST


@FUZZED
@given(texts | zones)
@example("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:99991231T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
def test_what_a_calendar_holds_is_refused_or_read(text: str) -> None:
    for read in (read_zone, read_regions, read_weekend, lambda value: read_events(value, UTC)):
        with contextlib.suppress(CalendarError):
            read(text)
