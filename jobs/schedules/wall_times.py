"""The wall-clock times of a cron text: its days and its times of day, on a calendar without zones.

A wall time is the number of seconds from 1970-01-01T00:00 as a clock on the wall would show them.
"""

from dataclasses import dataclass

from jobs.schedules.days import Days
from jobs.schedules.times import DAY_SECONDS, TimesOfDay


@dataclass(frozen=True, slots=True)
class WallTimes:
    days: Days
    times: TimesOfDay

    def at_or_after(self, wall: int) -> int | None:
        day, time = divmod(wall, DAY_SECONDS)
        found = self.days.at_or_after(day)
        if found == day:
            next_time = self.times.at_or_after(time)
            if next_time is not None:
                return day * DAY_SECONDS + next_time
            found = self.days.at_or_after(day + 1)
        return None if found is None else found * DAY_SECONDS + self.times.first

    def at_or_before(self, wall: int) -> int | None:
        day, time = divmod(wall, DAY_SECONDS)
        found = self.days.at_or_before(day)
        if found == day:
            last_time = self.times.at_or_before(time)
            if last_time is not None:
                return day * DAY_SECONDS + last_time
            found = self.days.at_or_before(day - 1)
        return None if found is None else found * DAY_SECONDS + self.times.last

    def count_before(self, wall: int) -> int:
        day, time = divmod(wall, DAY_SECONDS)
        count = self.days.count_before(day) * self.times.total
        if self.days.at_or_after(day) == day:
            count += self.times.count_before(time)
        return count
