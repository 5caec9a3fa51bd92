"""When jobs run: cron texts, `@every`, `@at` and `@after` in a time zone. Pure: no clock of its own, no I/O."""

from jobs.schedules.days import BusinessCalendar
from jobs.schedules.errors import ScheduleError
from jobs.schedules.parser import has_business_days, parse
from jobs.schedules.schedule import Schedule, SkippedTimes

__all__ = ["BusinessCalendar", "Schedule", "ScheduleError", "SkippedTimes", "has_business_days", "parse"]
