"""Which days the day fields, months and years choose: tables, and every day of 28 years looked at one by one."""

from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from jobs.schedules import parse
from tests.unit.schedules.times import next_dates, utc

TABLE = [
    # The last day, days before it, and the workdays nearest to days.
    ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
    ("0 0 L 2 *", ["2026-02-28", "2027-02-28", "2028-02-29"]),
    ("0 0 L-3 * *", ["2026-01-28", "2026-02-25", "2026-03-28"]),
    ("0 0 L-30 * *", ["2026-03-01", "2026-05-01", "2026-07-01"]),
    ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
    ("0 0 L-3W * *", ["2026-01-28", "2026-02-25", "2026-03-27"]),
    ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16"]),
    # 2026-08-01 is a Saturday and 2026-05-31 a Sunday: the nearest workday never lies in another month.
    ("0 0 1W 8 *", ["2026-08-03", "2027-08-02", "2028-08-01"]),
    ("0 0 31W 5 *", ["2026-05-29", "2027-05-31", "2028-05-31"]),
    ("0 0 31W * *", ["2026-01-30", "2026-03-31", "2026-05-29"]),
    ("0 0 1,15W,L * *", ["2026-01-15", "2026-01-31", "2026-02-01", "2026-02-16", "2026-02-28"]),
    # Weekdays by number and name, Sunday as 0 or 7, the nth and the last of a month.
    ("0 0 * * 0", ["2026-01-04", "2026-01-11"]),
    ("0 0 * * 7", ["2026-01-04", "2026-01-11"]),
    ("0 0 0 * * 7", ["2026-01-04", "2026-01-11"]),
    ("0 0 0 ? * 0 2026", ["2026-01-04", "2026-01-11"]),
    ("0 0 * * 5-7", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"]),
    ("0 0 * * 7-1", ["2026-01-04", "2026-01-05", "2026-01-11"]),
    ("0 0 * * 6-0", ["2026-01-03", "2026-01-04", "2026-01-10"]),
    ("0 0 * * SAT-SUN", ["2026-01-03", "2026-01-04", "2026-01-10"]),
    ("0 0 * * sun-tue", ["2026-01-04", "2026-01-05", "2026-01-06", "2026-01-11"]),
    ("0 0 * * 0-7/7", ["2026-01-04", "2026-01-11"]),
    ("0 0 * * MON-FRI/2", ["2026-01-02", "2026-01-05", "2026-01-07", "2026-01-09"]),
    ("0 0 * * MON#2", ["2026-01-12", "2026-02-09"]),
    ("0 0 * * 1#5", ["2026-03-30", "2026-06-29"]),
    ("0 0 * * 7#1,0#3", ["2026-01-04", "2026-01-18", "2026-02-01"]),
    ("0 0 * * FRIL", ["2026-01-30", "2026-02-27", "2026-03-27"]),
    ("0 0 * * 5L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
    ("0 0 * * 7L", ["2026-01-25", "2026-02-22"]),
    # Either field, unless one of them begins with a star: then both.
    ("0 0 13 * 5", ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]),
    ("0 0 13 * *", ["2026-01-13", "2026-02-13"]),
    ("0 0 */2 * 1", ["2026-01-05", "2026-01-19", "2026-02-09"]),
    ("0 0 13 * */5", ["2026-02-13", "2026-03-13", "2026-09-13"]),
    ("0 0 *,1 * 1", ["2026-01-05", "2026-01-12"]),
    ("0 0 1-31 * 1", ["2026-01-02", "2026-01-03"]),
    ("0 0 L * FRI", ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23", "2026-01-30", "2026-01-31"]),
    # A question mark is no restriction.
    ("0 0 ? * MON", ["2026-01-05", "2026-01-12"]),
    ("0 0 13 * ?", ["2026-01-13", "2026-02-13"]),
    ("0 0 ? * ?", ["2026-01-02", "2026-01-03"]),
    # Months, years, leap days.
    ("0 0 1 JAN,jul *", ["2026-07-01", "2027-01-01"]),
    ("0 0 1 OCT-DEC *", ["2026-10-01", "2026-11-01", "2026-12-01", "2027-10-01"]),
    ("0 0 1 */5 *", ["2026-06-01", "2026-11-01", "2027-01-01"]),
    ("0 0 29 2 *", ["2028-02-29", "2032-02-29"]),
    ("0 0 29 2 1", ["2026-02-02", "2026-02-09"]),
    ("0 0 29 2 */1", ["2028-02-29", "2032-02-29"]),
    ("0 0 */28 2 MON", ["2027-02-01", "2038-02-01", "2044-02-01", "2044-02-29"]),
    ("0 0 0 1 1 ? 2027", ["2027-01-01"]),
    ("0 0 0 1 1 ? 2030/4", ["2030-01-01", "2034-01-01"]),
    ("0 0 0 1 1 ? 2028-2030,2199", ["2028-01-01", "2029-01-01", "2030-01-01", "2199-01-01"]),
    # Macros.
    ("@weekly", ["2026-01-04", "2026-01-11"]),
    ("@monthly", ["2026-02-01", "2026-03-01"]),
    ("@yearly", ["2027-01-01", "2028-01-01"]),
    ("@ANNUALLY", ["2027-01-01", "2028-01-01"]),
]


@pytest.mark.parametrize(("text", "expected"), TABLE, ids=[text for text, _ in TABLE])
def test_next_dates(text: str, expected: list[str]) -> None:
    assert next_dates(text, len(expected)) == expected


def length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def nearest_workday(day: date, target: int) -> bool:
    """Whether the day is the Monday to Friday of its month that is nearest to the target (the earlier of two)."""
    if not 1 <= target <= length(day):
        return False
    workdays = [number for number in range(1, length(day) + 1) if day.replace(day=number).weekday() < 5]
    return day.day == min(workdays, key=lambda number: (abs(number - target), number))


Rule = Callable[[date], bool]

RULES: list[tuple[str, Rule]] = [
    ("L * *", lambda day: (day + timedelta(days=1)).day == 1),
    ("L-3 * *", lambda day: (day + timedelta(days=4)).day == 1),
    ("LW * *", lambda day: nearest_workday(day, length(day))),
    ("L-3W * *", lambda day: nearest_workday(day, length(day) - 3)),
    ("L-29W * *", lambda day: nearest_workday(day, length(day) - 29)),
    ("1W * *", lambda day: nearest_workday(day, 1)),
    ("15W * *", lambda day: nearest_workday(day, 15)),
    ("31W * *", lambda day: nearest_workday(day, 31)),
    ("* * MON#1", lambda day: day.weekday() == 0 and day.day <= 7),
    ("* * SUN#5", lambda day: day.weekday() == 6 and day.day > 28),
    ("* * SATL", lambda day: day.weekday() == 5 and day.day + 7 > length(day)),
    ("13 * FRI", lambda day: day.day == 13 or day.weekday() == 4),
    ("*/3 2 SUN", lambda day: day.month == 2 and day.day % 3 == 1 and day.weekday() == 6),
    ("30 2,4 ?", lambda day: day.day == 30 and day.month == 4),
    ("29 2 *", lambda day: (day.month, day.day) == (2, 29)),
]


@pytest.mark.parametrize(("fields", "rule"), RULES, ids=[fields for fields, _ in RULES])
def test_every_day_of_28_years(fields: str, rule: Rule) -> None:
    schedule = parse(f"0 0 {fields}", "UTC")
    first = date(2089, 12, 31)  # 2100 is no leap year
    days = [first + timedelta(days=number) for number in range(1, 28 * 365)]
    found = [fire.date() for fire in schedule.between(utc(first.isoformat()), utc(days[-1].isoformat()))]
    assert found == [day for day in days if rule(day)]


def test_the_end_of_the_years() -> None:
    schedule = parse("0 0 0 31 12 ? 2199", "Pacific/Kiritimati")
    assert str(schedule.next_after(utc("2026-01-01"))) == "2199-12-31 00:00:00+14:00"
    assert schedule.next_after(utc("2199-12-31")) is None
    assert parse("* * * * *", "America/New_York").next_after(utc("2200-01-01T05:00")) is None
    assert parse("* * * * *", "UTC").next_after(utc("9999-12-31T23:59:59")) is None
    assert str(parse("* * * * *", "UTC").previous_before(utc("9999-12-31"))) == "2199-12-31 23:59:00+00:00"


def test_the_start_of_the_years() -> None:
    schedule = parse("0 12 * * *", "Asia/Tokyo")
    assert str(schedule.next_after(utc("0001-01-01"))) == "1970-01-01 12:00:00+09:00"
    assert str(schedule.previous_before(utc("1970-01-02"))) == "1970-01-01 12:00:00+09:00"
    assert schedule.previous_before(utc("1970-01-01")) is None
    assert schedule.previous_before(utc("0001-01-01")) is None


def test_years_in_the_past_are_allowed_and_never_come() -> None:
    schedule = parse("0 0 0 1 1 ? 1999-2001", "Europe/Riga")
    assert schedule.next_after(utc("2026-01-01")) is None
    assert str(schedule.previous_before(utc("2026-01-01"))) == "2001-01-01 00:00:00+02:00"
