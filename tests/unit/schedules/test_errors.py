"""What is refused, and the exact words: the name of the part, what is wrong with it, what is allowed."""

from datetime import datetime
from typing import Any

import pytest

from jobs.schedules import ScheduleError, parse
from tests.unit.schedules.times import utc

MINUTE = "*, 0-59, ranges such as 1-5, steps such as */2, H"
HOUR = "*, 0-23, ranges such as 1-5, steps such as */2, H"
DAY = "*, 1-31, ranges such as 2-6, steps such as */2, H, ?, L, L-3, LW, 15W, B, 2B, LB, LB-3"
MONTH = "*, 1-12 or JAN-DEC, ranges such as 2-6, steps such as */2, H"
WEEKDAY = "*, 0-7 or SUN-SAT, ranges such as MON-FRI, steps such as */2, H, ?, FRIL (the last), MON#2 (the second)"
YEAR = "*, 1970-2199, ranges such as 1971-1975, steps such as */2"
FIELDS = "allowed are 5 (minute, hour, day of month, month, day of week), 6 (second first) or 7 (year last)"
MACROS = (
    "allowed with @ are @hourly @daily @midnight @weekly @monthly @yearly @annually, "
    "@every 1h30m, @at 2027-01-01T09:00 and @after"
)
EVERY = "allowed are numbers with the units w d h m s in this order, such as 1h30m"
AT = "allowed are 2027-01-01T09:00, with seconds (09:00:30) and an offset (Z or +02:00) if need be"

TABLE = {
    # Values.
    "0 25 * * *": "hour: 25 is not in 0-23",
    "60 * * * *": "minute: 60 is not in 0-59",
    "60 0 * * * *": "second: 60 is not in 0-59",
    "0 0 0 * *": "day of month: 0 is not in 1-31",
    "0 0 32W * *": "day of month: 32 is not in 1-31",
    "0 0 1 13 *": "month: 13 is not in 1-12",
    "0 0 * * 8": "day of week: 8 is not in 0-7",
    "0 0 * * 8L": "day of week: 8 is not in 0-7",
    "0 0 0 1 1 ? 1969": "year: 1969 is not in 1970-2199",
    "0 0 0 1 1 ? 2200": "year: 2200 is not in 1970-2199",
    "0 0 L-31 * *": "day of month: L-31 is not in L-1 to L-30",
    "0 0 L-0 * *": "day of month: L-0 is not in L-1 to L-30",
    "0 0 * * FRI#6": "day of week: #6 is not in #1 to #5",
    "0 0 * * 1#0": "day of week: #0 is not in #1 to #5",
    # Steps, ranges and lists.
    "*/0 * * * *": "minute: step 0 is not in 1-60",
    "*/90 * * * *": "minute: step 90 is not in 1-60",
    "0 0 * * */8": "day of week: step 8 is not in 1-7",
    "H(0-29)/40 * * * *": "minute: step 40 is not in 1-30",
    "20-8 * * * *": "minute: 20-8 runs backwards; write 20-59,0-8",
    "0 22-0 * * *": "hour: 22-0 runs backwards; write 22-23,0",
    "0 0 * NOV-FEB *": "month: NOV-FEB runs backwards; write NOV-DEC,JAN-FEB",
    "0 0 * * FRI-MON": "day of week: FRI-MON runs backwards; write FRI-SAT,SUN-MON",
    "0 0 * * 5-2": "day of week: 5-2 runs backwards; write 5-7,0-2",
    "0 0 0 1 1 ? 2030-2027": "year: 2030-2027 runs backwards; write 2027-2030",
    "H(30-5) * * * *": "minute: 30-5 runs backwards; write 30-59,0-5",
    "1,,2 * * * *": "minute: the list '1,,2' has an empty item",
    ", * * * *": "minute: the list ',' has an empty item",
    "0 0 * 1, *": "month: the list '1,' has an empty item",
    # Junk, and what is allowed in another field.
    "1-5-9 * * * *": f"minute: '1-5-9' is not understood; allowed are {MINUTE}",
    "1-5/ * * * *": f"minute: '1-5/' is not understood; allowed are {MINUTE}",
    "-5 * * * *": f"minute: '-5' is not understood; allowed are {MINUTE}",
    "+5 * * * *": f"minute: '+5' is not understood; allowed are {MINUTE}",
    "1_0 * * * *": f"minute: '1_0' is not understood; allowed are {MINUTE}",
    "** * * * *": f"minute: '**' is not understood; allowed are {MINUTE}",
    "5.5 * * * *": f"minute: '5.5' is not understood; allowed are {MINUTE}",
    "0 MON * * *": f"hour: 'MON' is not understood; allowed are {HOUR}",
    "0 ? * * *": f"hour: '?' is not understood; allowed are {HOUR}",
    "0 L * * *": f"hour: 'L' is not understood; allowed are {HOUR}",
    "0 0 W * *": f"day of month: 'W' is not understood; allowed are {DAY}",
    "0 0 LW-3 * *": f"day of month: 'LW-3' is not understood; allowed are {DAY}",
    "0 0 MON * *": f"day of month: 'MON' is not understood; allowed are {DAY}",
    "0 0 1,? * *": f"day of month: '?' is not understood; allowed are {DAY}",
    "0 0 * JANUARY *": f"month: 'JANUARY' is not understood; allowed are {MONTH}",
    "0 0 * MON *": f"month: 'MON' is not understood; allowed are {MONTH}",
    "0 0 * * L": f"day of week: 'L' is not understood; allowed are {WEEKDAY}",
    "0 0 * * MON-FRI#1": f"day of week: 'MON-FRI#1' is not understood; allowed are {WEEKDAY}",
    "0 0 * * FUNL": f"day of week: 'FUN' is not understood; allowed are {WEEKDAY}",
    "0 0 0 1 1 ? ?": f"year: '?' is not understood; allowed are {YEAR}",
    "0 0 0 1 1 ? H": "year: 'H' is not allowed here: H is for the fields of time, day and month",
    # Dates that never come.
    "0 0 30 2 *": "day of month: 30 in month 2 never comes; write a date that exists",
    "0 0 31 2,4,6,9,11 ?": "day of month: 31 in month 2,4,6,9,11 never comes; write a date that exists",
    "0 0 */31 * MON#2": "day of month: */31 in month * with day of week MON#2 never comes; write a date that exists",
    "0 0 0 29 2 ? 2027": "day of month: 29 in month 2 in year 2027 never comes; write a date that exists",
    "0 0 0 29 2 ? 2100": "day of month: 29 in month 2 in year 2100 never comes; write a date that exists",
    # The whole.
    "": "schedule: is empty; write five fields such as 0 2 * * *, or @daily",
    " \t\n": "schedule: is empty; write five fields such as 0 2 * * *, or @daily",
    "* * * *": f"schedule: has 4 fields; {FIELDS}",
    "* * * * * * * *": f"schedule: has 8 fields; {FIELDS}",
    "daily": f"schedule: has 1 field; {FIELDS}",
    "0 " * 101: "schedule: 202 characters are too many; allowed are 200",
    "\u0663 * * * *": "schedule: '\\u0663' is not allowed; write it in plain ASCII characters",
    "0\u00a02 * * *": "schedule: '\\xa0' is not allowed; write it in plain ASCII characters",
    "0 0 * * *\0": "schedule: '\\x00' is not allowed; write it in plain ASCII characters",
    "@reboot": f"schedule: '@reboot' is not known; {MACROS}",
    "@daily 5": f"schedule: '@daily 5' is not known; {MACROS}",
    "@": f"schedule: '@' is not known; {MACROS}",
    # @every and @at.
    "@every": f"@every: '' is not understood; {EVERY}",
    "@every 5": f"@every: '5' is not understood; {EVERY}",
    "@every 30m1h": f"@every: '30m1h' is not understood; {EVERY}",
    "@every -5m": f"@every: '-5m' is not understood; {EVERY}",
    "@every 1.5h": f"@every: '1.5h' is not understood; {EVERY}",
    "@every 0s": "@every: 0s is not in 1s-3650d",
    "@every 3651d": "@every: 3651d is not in 1s-3650d",
    "@at": f"@at: '' is not understood; {AT}",
    "@at 2027-01-01": f"@at: '2027-01-01' is not understood; {AT}",
    "@at tomorrow": f"@at: 'tomorrow' is not understood; {AT}",
    "@at 2027-02-30T09:00": "@at: 2027-02-30T09:00 is not a date, time and offset that exist",
    "@at 2027-01-01T24:00": "@at: 2027-01-01T24:00 is not a date, time and offset that exist",
    "@at 2027-01-01T09:00+25:00": "@at: 2027-01-01T09:00+25:00 is not a date, time and offset that exist",
    "@at 1969-12-31T23:59": "@at: year 1969 is not in 1970-2199",
    "@at 2200-01-01T00:00": "@at: year 2200 is not in 1970-2199",
}


@pytest.mark.parametrize(("text", "message"), TABLE.items(), ids=[repr(text) for text in TABLE])
def test_message(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text, "Europe/Riga")
    assert str(caught.value) == message


def test_a_refused_text_is_a_value_error() -> None:
    assert issubclass(ScheduleError, ValueError)


@pytest.mark.parametrize("text", [None, 5, b"* * * * *", ["* * * * *"]])
def test_only_text_is_read(text: Any) -> None:
    with pytest.raises(ScheduleError, match=f"schedule: must be text, not {type(text).__name__}"):
        parse(text, "UTC")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "/etc/passwd", "../UTC", "America", "Europe/Riga\0", "Europe/R\u012bga"]
)
def test_an_unknown_time_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match=r"^time zone: .* is not known; write a name such as Europe/Riga$") as caught:
        parse("* * * * *", zone)
    assert repr(zone) in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("gap", "before", "after, skip"),
        ("gap", None, "after, skip"),
        ("gap", "", "after, skip"),
        ("repeated", "third", "first, second, both"),
        ("repeated", ["first"], "first, second, both"),
    ],
)
def test_an_unknown_option_is_named(option: str, value: Any, allowed: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse("0 2 * * *", "Europe/Riga", **{option: value})
    assert str(caught.value) == f"{option}: {value!r} is not known; allowed are {allowed}"


def test_a_time_that_the_clock_and_the_schedule_skip_is_refused() -> None:
    with pytest.raises(ScheduleError) as caught:
        parse("@at 2026-03-29 03:30", "Europe/Riga", gap="skip")
    words = "so with gap skip it never comes; write a time that exists"
    assert str(caught.value) == f"@at: the clock skips 2026-03-29T03:30, {words}"


def test_naive_datetimes_are_refused() -> None:
    schedule, naive = parse("* * * * *", "UTC"), datetime(2026, 1, 1)  # noqa: DTZ001
    for ask in (
        lambda: schedule.next_after(naive),
        lambda: schedule.previous_before(naive),
        lambda: schedule.between(naive, utc("2026-01-01")),
        lambda: schedule.between(utc("2026-01-01"), naive),
        lambda: schedule.count_between(naive, naive),
        lambda: schedule.skipped_between(naive, naive),
    ):
        with pytest.raises(ValueError, match="is naive"):
            ask()
