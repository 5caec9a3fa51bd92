"""The days, months and years of a cron text in English."""

from collections.abc import Iterable, Sequence

from jobs.schedules.day_rules import (
    BusinessDays,
    DayItem,
    DayRule,
    DaysOfMonth,
    FromEnd,
    LastWeekday,
    NearestWorkday,
    NthBusinessDay,
    NthWeekday,
    Weekdays,
)
from jobs.schedules.fields import FIRST_YEAR, LAST_YEAR
from jobs.schedules.wording import join, ordinal, progression, stepped

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_BUT = ("one", "two", "three", "four", "five")
_NTH = ("first", "second", "third", "fourth", "fifth")


def describe_days(rule: DayRule, months: Sequence[int], years: Sequence[int], every_day: str) -> str:
    """The words; `every_day` is how to say that no day is left out."""
    days = _days(rule) or every_day
    parts = [part for part in (_months(months), _years(years)) if part]
    # "A, and also B, in January": the month goes for both.
    comma = "," if parts and ", and also" in days else ""
    return " ".join([days + comma, *parts]).strip()


def _days(rule: DayRule) -> str:
    dates, every_date = _dates(rule.by_date)
    weekdays, every_weekday = _weekdays(rule.by_weekday)
    if rule.both:
        if every_date or every_weekday:
            return f"on {dates}" * (not every_date) + f"on {weekdays}" * (not every_weekday)
        return f"on {dates} if that is {weekdays}"
    return "" if every_date or every_weekday else f"on {dates}, and also on {weekdays}"


def _dates(items: Iterable[DayItem]) -> tuple[str, bool]:
    """The words for a day-of-month field, and whether it means every day."""
    words, numbers = [], set[int]()
    for item in items:
        match item:
            case DaysOfMonth(days):
                numbers |= days
            case FromEnd(back):
                words.append(_from_end(back))
            case NearestWorkday(FromEnd(0)):
                words.append("the last workday (Monday to Friday)")
            case NearestWorkday(FromEnd(back)):
                words.append(f"the workday (Monday to Friday) nearest to {_from_end(back)}")
            case NearestWorkday(target):
                words.append(f"the workday (Monday to Friday) nearest to day {target}")
            case BusinessDays():
                words.append("every business day")
            case NthBusinessDay(index):
                words.append(_nth_business_day(index))
    if numbers:
        words.insert(0, stepped(sorted(numbers), "day"))
    return f"{join(words)} of the month", len(numbers) == 31


def _nth_business_day(index: int) -> str:
    if index >= 0:
        return f"the {_NTH[index] if index < len(_NTH) else ordinal(index + 1)} business day"
    if index == -1:
        return "the last business day"
    back = -1 - index
    return f"the last but {_BUT[back - 1] if back <= len(_BUT) else back} business day"


def _from_end(back: int) -> str:
    return "the last day" if back == 0 else f"the day {back} day{'s' * (back > 1)} before the last"


def _weekdays(items: Iterable[DayItem]) -> tuple[str, bool]:
    """The words for a day-of-week field, and whether it means every day."""
    words, numbers = [], set[int]()
    for item in items:
        match item:
            case Weekdays(weekdays):
                numbers |= weekdays
            case NthWeekday(weekday, nth):
                words.append(f"the {_NTH[nth - 1]} {_WEEKDAYS[weekday]} of the month")
            case LastWeekday(weekday):
                words.append(f"the last {_WEEKDAYS[weekday]} of the month")
    if numbers:
        words.insert(0, _plain_weekdays(numbers))
    return join(words), len(numbers) == 7


def _plain_weekdays(numbers: set[int]) -> str:
    # From Monday to Sunday, so that a weekend is one run.
    days = sorted(number or 7 for number in numbers)
    if progression(days) == 1:
        return f"{_WEEKDAYS[days[0]]} to {_WEEKDAYS[days[-1] % 7]}"
    return join([_WEEKDAYS[day % 7] for day in days])


def _months(months: Sequence[int]) -> str:
    if len(months) == len(_MONTHS):
        return ""
    if progression(months) == 1:
        return f"from {_MONTHS[months[0] - 1]} to {_MONTHS[months[-1] - 1]}"
    return f"in {join([_MONTHS[month - 1] for month in months])}"


def _years(years: Sequence[int]) -> str:
    if len(years) == LAST_YEAR - FIRST_YEAR + 1:
        return ""
    return f"in {stepped(years, 'year')}".replace("in year", "in the year", 1)
