"""When jobs run: cron texts, `@every` and `@at` in a time zone. Pure: no clock of its own, no I/O."""

from jobs.schedules.errors import ScheduleError
from jobs.schedules.parser import parse
from jobs.schedules.schedule import Schedule, SkippedTimes

__all__ = ["Schedule", "ScheduleError", "SkippedTimes", "parse"]
