"""Which days of a month the day-of-month and day-of-week fields choose.

A month is its shape: the weekday of its first day (Sunday is 0), its length, and where a calendar tells them its
business days. The days chosen are a bit mask, bit 0 for day 1. Without a calendar only 28 shapes exist, and none of
this knows a year or a zone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from jobs.schedules.fields import DAY, WEEKDAY

MAX_NTH = 5
MAX_BACK = 30


class Month(NamedTuple):
    """The shape of a month. `business` are its business days by a calendar, None for Monday to Friday."""

    first_weekday: int
    length: int
    business: int | None = None

    @property
    def all_days(self) -> int:
        return (1 << self.length) - 1

    @property
    def business_days(self) -> list[int]:
        """The business days, in order."""
        if self.business is None:
            return [day for day in range(1, self.length + 1) if 1 <= self.weekday(day) <= 5]
        return [day for day in range(1, self.length + 1) if self.business >> day - 1 & 1]

    def first(self, weekday: int) -> int:
        """The first day of the month that is such a weekday."""
        return (weekday - self.first_weekday) % 7 + 1

    def weekday(self, day: int) -> int:
        return (self.first_weekday + day - 1) % 7


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """`1`, `10-20`, `*/2`: days by number."""

    days: frozenset[int]

    def mask(self, month: Month) -> int:
        return sum(1 << day - 1 for day in self.days if day <= month.length)


@dataclass(frozen=True, slots=True)
class FromEnd:
    """`L` (back 0) and `L-3` (back 3): days counted from the month's last."""

    back: int

    def mask(self, month: Month) -> int:
        return _bit(month.length - self.back, month)


@dataclass(frozen=True, slots=True)
class NearestWorkday:
    """`15W`, `LW`, `L-3W`: the Monday to Friday nearest to a day, never in another month."""

    target: int | FromEnd

    def mask(self, month: Month) -> int:
        day = self.target if isinstance(self.target, int) else month.length - self.target.back
        if not 1 <= day <= month.length:
            return 0
        return _bit(_nearest_workday(day, month), month)


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """`B`: every business day."""

    def mask(self, month: Month) -> int:
        return sum(1 << day - 1 for day in month.business_days)


@dataclass(frozen=True, slots=True)
class NthBusinessDay:
    """`2B`: the second business day (index 1), `LB` the last (-1), `LB-3` the last but three (-4). A month that has
    not so many has none.
    """

    index: int

    def mask(self, month: Month) -> int:
        days = month.business_days
        return _bit(days[self.index], month) if -len(days) <= self.index < len(days) else 0


@dataclass(frozen=True, slots=True)
class Weekdays:
    """`1`, `MON-FRI`, `*`: days by weekday."""

    weekdays: frozenset[int]

    def mask(self, month: Month) -> int:
        return sum(1 << day - 1 for day in range(1, month.length + 1) if month.weekday(day) in self.weekdays)


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`MON#2`: the second Monday; a month without a fifth one has none."""

    weekday: int
    nth: int

    def mask(self, month: Month) -> int:
        return _bit(month.first(self.weekday) + 7 * (self.nth - 1), month)


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`5L`, `FRIL`: the last Friday."""

    weekday: int

    def mask(self, month: Month) -> int:
        first = month.first(self.weekday)
        return _bit(first + (month.length - first) // 7 * 7, month)


DayItem = DaysOfMonth | FromEnd | NearestWorkday | BusinessDays | NthBusinessDay | Weekdays | NthWeekday | LastWeekday


@dataclass(frozen=True, slots=True)
class DayRule:
    """Both day fields together; `both` says that a day must match the two, else either is enough."""

    by_date: tuple[DayItem, ...]
    by_weekday: tuple[DayItem, ...]
    both: bool

    @property
    def of_business(self) -> bool:
        """Whether it asks for business days."""
        return any(isinstance(item, (BusinessDays, NthBusinessDay)) for item in self.by_date)

    def mask(self, month: Month) -> int:
        dates = _union(self.by_date, month)
        weekdays = _union(self.by_weekday, month)
        return dates & weekdays if self.both else dates | weekdays


@lru_cache(maxsize=4096)
def day_rule(day_text: str, weekday_text: str, key: str) -> DayRule:
    """Reads the two day fields.

    As in Debian's cron a day matches if either field does, unless one of them begins with `*`: then both
    must. `?` is no restriction, so it counts as `*`.
    """
    return DayRule(
        by_date=_read(day_text, DAY.items(day_text), lambda item: _date_item(item, key)),
        by_weekday=_read(weekday_text, WEEKDAY.items(weekday_text), lambda item: _weekday_item(item, key)),
        both=day_text.startswith(("*", "?")) or weekday_text.startswith(("*", "?")),
    )


def _read(text: str, items: list[str], read_item: Callable[[str], DayItem]) -> tuple[DayItem, ...]:
    return tuple(read_item("*" if text == "?" else item) for item in items)


def _date_item(item: str, key: str) -> DayItem:
    if found := re.fullmatch(r"L(?:-([0-9]+))?(W?)", item):
        back = FromEnd(_days_back(found[1]))
        return NearestWorkday(back) if found[2] else back
    if found := re.fullmatch(r"([0-9]+)W", item):
        return NearestWorkday(DAY.value(found[1]))
    return _business_item(item) or DaysOfMonth(frozenset(DAY.values(item, key)))


def _business_item(item: str) -> BusinessDays | NthBusinessDay | None:
    if item == "B":
        return BusinessDays()
    if found := re.fullmatch(r"([0-9]+)B", item):
        return NthBusinessDay(DAY.value(found[1]) - 1)
    if found := re.fullmatch(r"LB(?:-([0-9]+))?", item):
        return NthBusinessDay(-1 - _days_back(found[1], "LB"))
    return None


def _weekday_item(item: str, key: str) -> DayItem:
    if found := re.fullmatch(r"([A-Z]{3}|[0-9]+)L", item):
        return LastWeekday(WEEKDAY.value(found[1]) % 7)
    if found := re.fullmatch(r"([A-Z]{3}|[0-9]+)#([0-9]+)", item):
        return NthWeekday(WEEKDAY.value(found[1]) % 7, _nth(found[2]))
    return Weekdays(frozenset(value % 7 for value in WEEKDAY.values(item, key)))


def _days_back(text: str | None, last: str = "L") -> int:
    if text is None:
        return 0
    if not 1 <= int(text) <= MAX_BACK:
        raise DAY.error(f"{last}-{text} is not in {last}-1 to {last}-{MAX_BACK}")
    return int(text)


def _nth(text: str) -> int:
    if not 1 <= int(text) <= MAX_NTH:
        raise WEEKDAY.error(f"#{text} is not in #1 to #{MAX_NTH}")
    return int(text)


def _union(items: tuple[DayItem, ...], month: Month) -> int:
    mask = 0
    for item in items:
        mask |= item.mask(month)
    return mask


def _bit(day: int, month: Month) -> int:
    return 1 << day - 1 if 1 <= day <= month.length else 0


def _nearest_workday(day: int, month: Month) -> int:
    match month.weekday(day):
        case 6:
            return day - 1 if day > 1 else day + 2
        case 0:
            return day + 1 if day < month.length else day - 2
    return day
