"""A schedule in one line of English, from what its fields mean: `H` reads as the time that it stands for."""

from collections.abc import Sequence
from datetime import datetime

from jobs.schedules.cron_text import CronText
from jobs.schedules.describe_days import describe_days
from jobs.schedules.every import split_period
from jobs.schedules.wording import MANY, even_step, join, progression, span, stepped

_UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}


def describe_cron(cron: CronText) -> str:
    time = _times(sorted(cron.seconds), sorted(cron.minutes), sorted(cron.hours))
    # "At 02:00" asks for a day, "Every 5 minutes" does not.
    every_day = "every day" if time.startswith("At ") else ""
    days = describe_days(cron.rule, sorted(cron.months), sorted(cron.years), every_day)
    words = f"{time} {days}".strip()
    return words[0].upper() + words[1:]


def describe_every(period: int) -> str:
    parts = [(number, _UNITS[unit]) for number, unit in split_period(period)]
    if len(parts) == 1 and parts[0][0] == 1:
        return f"Every {parts[0][1]}"
    return "Every " + " ".join(f"{number} {unit}{'s' * (number > 1)}" for number, unit in parts)


def describe_after() -> str:
    return "After other jobs, or by hand"


def describe_at(moment: datetime) -> str:
    time = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    offset = "" if moment.tzinfo is None else f" ({moment.tzname()})"
    return f"Once, on {moment.date().isoformat()} at {time}{offset}"


def _times(seconds: Sequence[int], minutes: Sequence[int], hours: Sequence[int]) -> str:
    if len(seconds) * len(minutes) * len(hours) <= MANY:
        return "At " + join([_clock(h, m, s) for h in hours for m in minutes for s in seconds])
    if len(seconds) == len(minutes) == 1:
        return _once_an_hour(seconds[0], minutes[0], hours)
    return _several_an_hour(seconds, minutes, hours)


def _once_an_hour(second: int, minute: int, hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return "Every hour" if minute == second == 0 else f"Every hour at {_past(minute, second)}"
    if minute == second == 0 and (step := even_step(hours, 24)):
        return f"Every {step} hours"
    if step := progression(hours):
        every = "Every hour" if step == 1 else f"Every {step} hours"
        return f"{every} from {_clock(hours[0], minute, second)} to {_clock(hours[-1], minute, second)}"
    return "At " + join([_clock(hour, minute, second) for hour in hours])


def _past(minute: int, second: int) -> str:
    return f"minute {minute}" if second == 0 else f"minute {minute}, second {second}"


def _several_an_hour(seconds: Sequence[int], minutes: Sequence[int], hours: Sequence[int]) -> str:
    parts = [] if list(seconds) == [0] else [_in_sixty(seconds, "second")]
    every_second = bool(parts) and parts[0].startswith("every")
    if not (every_second and len(minutes) == 60):
        parts.append(_in_sixty(minutes, "minute"))
    if len(hours) == 24 and not parts[-1].startswith("every"):
        parts.append("every hour")
    words = " of ".join(parts)
    if not words.startswith("every"):
        words = f"at {words}"
    if len(hours) == 24:
        return words
    return f"{words}{',' * (' to ' in words)} {_hours(hours)}"


def _in_sixty(values: Sequence[int], unit: str) -> str:
    if step := even_step(values, 60):
        return f"every {unit}" if step == 1 else f"every {step} {unit}s"
    return stepped(values, unit)


def _hours(hours: Sequence[int]) -> str:
    if progression(hours) == 1 or len(hours) == 1:
        return f"from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f"in {span(hours, 'hour')}"


def _clock(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if second else f"{hour:02}:{minute:02}"
