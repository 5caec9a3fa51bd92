"""Reads a cron text of 5, 6 or 7 fields."""

from dataclasses import dataclass
from functools import lru_cache

from jobs.schedules.day_rules import DayRule, day_rule
from jobs.schedules.days import FIRST_DAY, BusinessCalendar, Days, matching_days
from jobs.schedules.errors import ScheduleError
from jobs.schedules.fields import FIRST_YEAR, HOUR, LAST_YEAR, MINUTE, MONTH, SECOND, YEAR, Field
from jobs.schedules.times import times_of_day
from jobs.schedules.wall_times import WallTimes

EVERY_YEAR = frozenset(range(FIRST_YEAR, LAST_YEAR + 1))


@dataclass(frozen=True, slots=True)
class CronText:
    """The fields as written, second first and year last, and what they mean."""

    second: str
    minute: str
    hour: str
    day: str
    month: str
    weekday: str
    year: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    rule: DayRule
    months: frozenset[int]
    years: frozenset[int]
    calendar: BusinessCalendar | None

    @property
    def follows_clock(self) -> bool:
        """Whether the minute or hour begins with `*`, as in Debian's cron; or the second, if there is one."""
        return any(field.startswith("*") for field in (self.second, self.minute, self.hour))

    @property
    def walls(self) -> WallTimes:
        return WallTimes(self._days(), times_of_day(self.hours, self.minutes, self.seconds))

    def _days(self) -> Days:
        days = matching_days(self.rule, self.months, self.years, self.calendar)
        if days.at_or_after(FIRST_DAY) is None:
            raise ScheduleError(self._never())
        return days

    def _never(self) -> str:
        weekday = "" if self.weekday in "*?" else f" with day of week {self.weekday}"
        year = "" if self.year == "*" else f" in year {self.year}"
        date = f"{self.day} in month {self.month}{weekday}{year}"
        by = "" if self.calendar is None else " by the calendar"
        return f"day of month: {date} never comes{by}; write a date that exists"


def read_cron(words: list[str], key: str, calendar: BusinessCalendar | None) -> CronText:
    """The fields of a text; `calendar` tells the business days, which are Monday to Friday without one."""
    second, minute, hour, day, month, weekday, year = _seven([word.upper() for word in words])
    rule = day_rule(day, weekday, _needed(key, day + weekday))
    return CronText(
        second, minute, hour, day, month, weekday, year,
        seconds=_values(SECOND, second, key),
        minutes=_values(MINUTE, minute, key),
        hours=_values(HOUR, hour, key),
        rule=rule,
        months=_values(MONTH, month, key),
        years=_values(YEAR, year, key),
        calendar=calendar if rule.of_business else None,
    )  # fmt: skip


def _seven(fields: list[str]) -> list[str]:
    match len(fields):
        case 5:
            return ["0", *fields, "*"]
        case 6:
            return [*fields, "*"]
        case 7:
            return fields
    raise ScheduleError(
        f"schedule: has {len(fields)} field{'s' * (len(fields) > 1)}; allowed are 5 (minute, hour, day of month, "
        "month, day of week), 6 (second first) or 7 (year last)"
    )


def _values(field: Field, text: str, key: str) -> frozenset[int]:
    return _read_values(field, text, _needed(key, text))


def _needed(key: str, text: str) -> str:
    """The key if the text may hash it, so that all others share what is cached."""
    return key if "H" in text else ""


@lru_cache(maxsize=4096)
def _read_values(field: Field, text: str, key: str) -> frozenset[int]:
    if field is YEAR and text == "*":
        return EVERY_YEAR
    return frozenset().union(*(field.values(item, key) for item in field.items(text)))
