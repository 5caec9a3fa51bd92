"""The days on which a cron text fires, as day numbers counted from 1970-01-01.

A year is a bit mask of its days, and only 14 different years exist (leap or not, and the weekday it begins
with), so the next day, the one before and the number of days between are bit operations, however sparse the
days are. Business days by a calendar differ from year to year: each year is drawn when it is first asked for.
"""

from bisect import bisect_right
from calendar import isleap
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from itertools import accumulate

from jobs.schedules.day_rules import DayRule, Month
from jobs.schedules.fields import FIRST_YEAR, LAST_YEAR

_EPOCH = date(1970, 1, 1).toordinal()
_YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
_YEAR_STARTS = [date(year, 1, 1).toordinal() - _EPOCH for year in _YEARS]
_CALENDARS = [(isleap(year), date(year, 1, 1).isoweekday() % 7) for year in _YEARS]
_MONTH_LENGTHS = {
    False: (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
    True: (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31),
}

FIRST_DAY = _YEAR_STARTS[0]
LAST_DAY = date(LAST_YEAR, 12, 31).toordinal() - _EPOCH

_ORIGIN = _YEARS.index(2025)

BusinessCalendar = Callable[[date], bool]
"""Tells whether a day is a business day. Two that are equal, by their hash too, give the same days."""


class Days:
    """The matching days of the years 1970 to 2199."""

    __slots__ = ("_before_year", "_by_calendar", "_months", "_rule", "_years")

    def __init__(self, rule: DayRule, months: frozenset[int], years: frozenset[int]) -> None:
        self._rule = rule
        self._months = months
        self._years = years
        self._by_calendar: dict[tuple[bool, int], int] = {}
        self._before_year: list[int] = []

    def at_or_after(self, day: int) -> int | None:
        if day > LAST_DAY:
            return None
        day = max(day, FIRST_DAY)
        index = bisect_right(_YEAR_STARTS, day) - 1
        rest = self._year_mask(index) >> (day - _YEAR_STARTS[index])
        if rest:
            return day + _lowest(rest)
        for later in range(index + 1, len(_YEARS)):
            if mask := self._year_mask(later):
                return _YEAR_STARTS[later] + _lowest(mask)
        return None

    def at_or_before(self, day: int) -> int | None:
        if day < FIRST_DAY:
            return None
        day = min(day, LAST_DAY)
        index = bisect_right(_YEAR_STARTS, day) - 1
        if mask := self._year_mask(index) & _first_bits(day - _YEAR_STARTS[index] + 1):
            return _YEAR_STARTS[index] + _highest(mask)
        for earlier in range(index - 1, -1, -1):
            if mask := self._year_mask(earlier):
                return _YEAR_STARTS[earlier] + _highest(mask)
        return None

    def count_before(self, day: int) -> int:
        """How many matching days come before this one."""
        if day <= FIRST_DAY:
            return 0
        day = min(day, LAST_DAY + 1)
        index = bisect_right(_YEAR_STARTS, day) - 1
        this_year = self._year_mask(index) & _first_bits(day - _YEAR_STARTS[index])
        return self._counts()[index] + this_year.bit_count()

    def _counts(self) -> list[int]:
        if not self._before_year:
            sizes = (self._year_mask(index).bit_count() for index in range(len(_YEARS)))
            self._before_year = list(accumulate(sizes, initial=0))
        return self._before_year

    def _year_mask(self, index: int) -> int:
        if _YEARS[index] not in self._years:
            return 0
        calendar = _CALENDARS[index]
        mask = self._by_calendar.get(calendar)
        if mask is None:
            mask = self._by_calendar[calendar] = self._draw(*calendar)
        return mask

    def _draw(self, leap: bool, weekday: int) -> int:
        mask = start = 0
        for number, length in enumerate(_MONTH_LENGTHS[leap], start=1):
            if number in self._months:
                mask |= self._rule.mask(Month((weekday + start) % 7, length)) << start
            start += length
        return mask


class DaysByCalendar(Days):
    """The same for a rule with business days, by a calendar.

    Days are counted from an origin near the present, below zero before it: only differences mean something, and so few
    years are drawn, not all that there are.
    """

    __slots__ = ("_by_year", "_calendar", "_counted")

    def __init__(
        self, rule: DayRule, months: frozenset[int], years: frozenset[int], calendar: BusinessCalendar
    ) -> None:
        super().__init__(rule, months, years)
        self._calendar = calendar
        self._by_year: dict[int, int] = {}
        self._counted = {_ORIGIN: 0}

    def count_before(self, day: int) -> int:
        day = min(max(day, FIRST_DAY), LAST_DAY + 1)
        index = bisect_right(_YEAR_STARTS, day) - 1
        this_year = self._year_mask(index) & _first_bits(day - _YEAR_STARTS[index])
        return self._before(index) + this_year.bit_count()

    def _before(self, index: int) -> int:
        counted = self._counted
        if index not in counted:
            for year in range(_ORIGIN, index):
                counted[year + 1] = counted[year] + self._year_mask(year).bit_count()
            for year in range(_ORIGIN - 1, index - 1, -1):
                counted[year] = counted[year + 1] - self._year_mask(year).bit_count()
        return counted[index]

    def _year_mask(self, index: int) -> int:
        if _YEARS[index] not in self._years:
            return 0
        mask = self._by_year.get(index)
        if mask is None:
            mask = self._by_year[index] = self._draw_year(_YEARS[index])
        return mask

    def _draw_year(self, year: int) -> int:
        mask = start = 0
        for number, length in enumerate(_MONTH_LENGTHS[isleap(year)], start=1):
            if number in self._months:
                mask |= self._rule.mask(self._month(year, number, length)) << start
            start += length
        return mask

    def _month(self, year: int, number: int, length: int) -> Month:
        days = (date(year, number, day) for day in range(1, length + 1))
        business = sum(1 << day.day - 1 for day in days if self._calendar(day))
        return Month(date(year, number, 1).isoweekday() % 7, length, business)


@lru_cache(maxsize=4096)
def matching_days(
    rule: DayRule, months: frozenset[int], years: frozenset[int], calendar: BusinessCalendar | None
) -> Days:
    """The days of these fields, shared by all the schedules that have the same."""
    return Days(rule, months, years) if calendar is None else DaysByCalendar(rule, months, years, calendar)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    return mask.bit_length() - 1


def _first_bits(count: int) -> int:
    return (1 << count) - 1
