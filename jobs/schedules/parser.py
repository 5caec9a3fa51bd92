"""From text to schedule."""

import re
from datetime import tzinfo
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from jobs.schedules.after import AfterFires
from jobs.schedules.at import at_fires, read_moment, write_moment
from jobs.schedules.change_rule import FOLLOWS_CLOCK, GAPS, REPEATS, change_rule, check_options
from jobs.schedules.clock_changes import clock_of
from jobs.schedules.cron import CronFires
from jobs.schedules.cron_text import CronText, read_cron
from jobs.schedules.days import BusinessCalendar
from jobs.schedules.describe import describe_after, describe_at, describe_cron, describe_every
from jobs.schedules.errors import ScheduleError
from jobs.schedules.every import EveryFires, read_period, write_period
from jobs.schedules.schedule import Schedule

MAX_LENGTH = 200

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

DEFAULTS = GAPS[0], REPEATS[0]

_HASHED = re.compile(r"\bH\b", re.IGNORECASE)
_OF_BUSINESS = re.compile(r"(?:^|[\s,])(?:[0-9]*|L)B(?:-[0-9]+)?(?=[\s,]|$)", re.IGNORECASE)


def has_business_days(text: str) -> bool:
    """Whether a schedule's text asks for business days, and so for a calendar."""
    return _OF_BUSINESS.search(text) is not None


def parse(
    text: str,
    timezone: str | tzinfo,
    *,
    key: str = "",
    gap: str = GAPS[0],
    repeated: str = REPEATS[0],
    calendar: BusinessCalendar | None = None,
) -> Schedule:
    """The schedule of a text in a time zone (an IANA name or a tzinfo).

    `key` is the stable identity that `H` hashes, such as the job's name. `gap` (after, skip) and `repeated` (first,
    second, both) say what becomes of a fixed time that a change of the clock skips or repeats. `calendar` tells whether
    a date is a business day, for `B`; without one Monday to Friday are. ScheduleError, a ValueError, tells which part
    is wrong and what is allowed there. Results are cached, by the calendar's hash too.
    """
    if not isinstance(text, str):
        raise ScheduleError(f"schedule: must be text, not {type(text).__name__}")
    check_options(gap, repeated)
    key = key if _HASHED.search(text) else ""
    business = calendar if has_business_days(text) else None
    return _parse(text, timezone, key, (str(gap), str(repeated)), business)


@lru_cache(maxsize=8192)
def _parse(
    text: str, timezone: str | tzinfo, key: str, options: tuple[str, str], calendar: BusinessCalendar | None
) -> Schedule:
    zone = _zone(timezone)
    words = _words(text)
    if not words[0].startswith("@"):
        return _cron(" ".join(words).upper(), read_cron(words, key, calendar), zone, key, options)
    name, rest = words[0].lower(), " ".join(words[1:])
    if name == "@every":
        return _every(rest, zone)
    if name == "@at":
        return _at(rest, zone, *options)
    if name == "@after" and not rest:
        return Schedule(name, zone, "", *DEFAULTS, AfterFires(), describe_after)
    if name in MACROS and not rest:
        return _cron(name, read_cron(MACROS[name].split(), key, None), zone, key, options)
    raise ScheduleError(
        f"schedule: '{text.strip()}' is not known; allowed with @ are {' '.join(MACROS)}, "
        "@every 1h30m, @at 2027-01-01T09:00 and @after"
    )


def _words(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise ScheduleError(f"schedule: {len(text)} characters are too many; allowed are {MAX_LENGTH}")
    for character in text:
        if not (" " <= character <= "~" or character in "\t\r\n"):
            raise ScheduleError(f"schedule: {character!a} is not allowed; write it in plain ASCII characters")
    if words := text.split():
        return words
    raise ScheduleError("schedule: is empty; write five fields such as 0 2 * * *, or @daily")


def _zone(timezone: str | tzinfo) -> tzinfo:
    if isinstance(timezone, tzinfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise ScheduleError(f"time zone: {timezone!r} is not known; write a name such as Europe/Riga") from error


def _cron(text: str, cron: CronText, zone: tzinfo, key: str, options: tuple[str, str]) -> Schedule:
    rule = FOLLOWS_CLOCK if cron.follows_clock else change_rule(*options)
    gap, repeated = DEFAULTS if cron.follows_clock else options
    fires = CronFires(cron.walls, clock_of(zone), rule)
    words = partial(describe_cron, cron)
    return Schedule(text, zone, key, gap, repeated, fires, words, cron.calendar)


def _every(rest: str, zone: tzinfo) -> Schedule:
    period = read_period(rest)
    words = partial(describe_every, period)
    return Schedule(f"@every {write_period(period)}", zone, "", *DEFAULTS, EveryFires(period), words)


def _at(rest: str, zone: tzinfo, gap: str, repeated: str) -> Schedule:
    moment = read_moment(rest)
    fires = at_fires(moment, clock_of(zone), change_rule(gap, repeated))
    if moment.tzinfo is not None:
        gap, repeated = DEFAULTS
    return Schedule(f"@at {write_moment(moment)}", zone, "", gap, repeated, fires, partial(describe_at, moment))
