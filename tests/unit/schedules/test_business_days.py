"""Business days in schedules: by a calendar, or Monday to Friday; and texts without fire times."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.calendars import WorkCalendar, read_regions, read_weekend
from jobs.schedules import ScheduleError, has_business_days, parse

RIGA = ZoneInfo("Europe/Riga")
DAY = timedelta(days=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def nth_business_days(calendar: WorkCalendar, year: int, index: int) -> list[date]:
    """The slow way: every day of each month is asked."""
    found = []
    for month in range(1, 13):
        all_days = [day for day in days(date(year, 1, 1), date(year, 12, 31)) if day.month == month]
        business = [day for day in all_days if calendar.is_business_day(day)]
        if -len(business) <= index < len(business):
            found.append(business[index])
    return found


@settings(max_examples=60, deadline=None)
@given(
    countries=st.sampled_from(["", "LV", "US-CA", "DE-BY, LV"]),
    weekend=st.sampled_from(["SAT,SUN", "FRI,SAT", "SUN", ""]),
    year=st.sampled_from([2025, 2026, 2027, 2030]),
    index=st.integers(-20, 19),
)
def test_business_days_of_a_month_against_every_day_asked(countries: str, weekend: str, year: int, index: int) -> None:
    calendar = WorkCalendar((countries, weekend), "c", RIGA, read_regions(countries), read_weekend(weekend))
    word = f"{index + 1}B" if index >= 0 else "LB" if index == -1 else f"LB-{-1 - index}"
    expected = nth_business_days(calendar, year, index)
    begin, end = datetime(year - 1, 12, 31, 23, 59, tzinfo=RIGA), datetime(year, 12, 31, 23, 59, tzinfo=RIGA)
    schedule = parse(f"0 9 {word} * *", RIGA, calendar=calendar)
    assert [fire.date() for fire in schedule.between(begin, end)] == expected
    assert schedule.count_between(begin, end) == len(expected)
    backwards, moment = [], end
    while (found := schedule.previous_before(moment)) is not None and found > begin:
        backwards.append(found.date())
        moment = found
    assert backwards[::-1] == expected


def test_without_a_calendar_business_days_are_monday_to_friday() -> None:
    every = parse("0 9 B * *", "UTC")
    assert list(every.between(JANUARY, JANUARY + 90 * DAY)) == list(
        parse("0 9 * * MON-FRI", "UTC").between(JANUARY, JANUARY + 90 * DAY)
    )


def test_counts_before_and_after_the_present_agree_with_the_times() -> None:
    schedule = parse("0 9 LB-3 * *", RIGA, calendar=WorkCalendar("LV", "c", RIGA, read_regions("LV")))
    begin, end = datetime(2019, 6, 1, tzinfo=UTC), datetime(2031, 6, 1, tzinfo=UTC)
    assert schedule.count_between(begin, end) == len(list(schedule.between(begin, end))) == 144


def test_schedules_are_equal_by_their_calendars_and_only_where_it_matters() -> None:
    one, same, other = (WorkCalendar(key, "c", UTC, read_regions("LV")) for key in (1, 1, 2))
    assert parse("0 9 B * *", "UTC", calendar=one) == parse("0 9 B * *", "UTC", calendar=same)
    assert parse("0 9 B * *", "UTC", calendar=one) != parse("0 9 B * *", "UTC", calendar=other)
    assert parse("0 9 1 FEB *", "UTC", calendar=one) == parse("0 9 1 FEB *", "UTC")


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("0 9 B * *", True),
        ("0 9 2b * *", True),
        ("0 9 15,LB-3 * *", True),
        ("0 0 9 lb * ? 2027", True),
        ("0 9 1 FEB *", False),
        ("0 9 * FEB-SEP MON", False),
        ("0 9 LW,L-3 * *", False),
        ("@after", False),
    ],
)
def test_which_texts_ask_for_business_days(text: str, has: bool) -> None:
    assert has_business_days(text) == has


def test_after_has_no_fire_times() -> None:
    schedule = parse(" @AFTER ", "UTC")
    assert (schedule.text, schedule.describe()) == ("@after", "After other jobs, or by hand")
    assert schedule.next_after(NOON) is None
    assert schedule.previous_before(NOON) is None
    assert schedule.count_between(JANUARY, NOON) == 0
    assert list(schedule.skipped_between(JANUARY, NOON)) == []


def test_a_business_day_that_no_month_has_is_refused() -> None:
    with pytest.raises(ScheduleError, match="24B in month FEB never comes; write"):
        parse("0 9 24B FEB *", "UTC")
    short_week = WorkCalendar("short", "c", UTC, weekend=read_weekend("FRI,SAT,SUN"))
    with pytest.raises(ScheduleError, match=r"20B in month \* never comes by the calendar"):
        parse("0 9 20B * *", "UTC", calendar=short_week)
