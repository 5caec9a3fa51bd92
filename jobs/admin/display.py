"""How moments, durations and states read on every page."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.models import Run
from jobs.states import MEANING, State

NOTHING = "\N{EN DASH}"

_PIECES = re.compile(r"[^._]+[._]*|[._]+")

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 31_557_600

_UNITS = ((YEAR, "y", 2 * YEAR), (DAY, "d", 2 * DAY), (HOUR, "h", 1.5 * HOUR), (MINUTE, "min", 1.5 * MINUTE))
"""A unit's seconds, its sign, and from how many seconds on it is used."""


@lru_cache(maxsize=1)
def zone_names() -> list[str]:
    """The names that a time zone may have, sorted."""
    return sorted(available_timezones())


def zone_of(name: str) -> tzinfo:
    """The zone of a job; UTC when the name is unknown, so that a job with a bad zone can still be shown."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def moment(when: datetime | None, zone: tzinfo, now: datetime | None = None) -> SafeString:
    """A moment in a zone, with its UTC time as a tooltip, and how far it is from `now` when that is given."""
    if when is None:
        return SafeString(NOTHING)
    stamp = _stamp(when, f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}")
    if now is None:
        return stamp
    return format_html('{} <span class="cn-quiet">{}</span>', stamp, relative(when, now))


def two_lines(when: datetime, zone: tzinfo, told: str) -> SafeString:
    """A moment for a narrow column: the zone and what else is to be told of it come below."""
    local = when.astimezone(zone)
    stamp = _stamp(when, f"{local:%Y-%m-%d %H:%M:%S}")
    return with_under(stamp, f"{local:%Z}, {told}")


def with_under(above: str, under: str) -> SafeString:
    """A cell of two lines, the lower one smaller; only one when there is nothing to put below."""
    return format_html('{}<span class="cn-under">{}</span>', above, under) if under else format_html("{}", above)


def breakable(name: str) -> SafeString:
    """A dotted name that may be broken into lines after its dots and underscores."""
    pieces = ((piece,) for piece in _PIECES.findall(name))
    return format_html_join(SafeString("<wbr>"), "{}", pieces)


def _stamp(when: datetime, text: str) -> SafeString:
    utc = f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', when.isoformat(), utc, text)


def relative(when: datetime, now: datetime) -> str:
    """How far `when` is from `now`: "in 4 min", "2 h ago"."""
    seconds = (when - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    distance = _rounded(abs(seconds))
    return f"in {distance}" if seconds > 0 else f"{distance} ago"


def _rounded(seconds: float) -> str:
    for size, sign, least in _UNITS:
        if seconds >= least:
            return f"{seconds / size:.0f} {sign}"
    return f"{seconds:.0f} s"


def duration(length: timedelta | None) -> str:
    """A length of time to about three digits: "312 ms", "4.2 s", "3 min 05 s", "2 h 05 min"."""
    if length is None:
        return NOTHING
    seconds = abs(length.total_seconds())
    sign = "-" if length < timedelta(0) else ""
    if seconds < MINUTE:
        return f"{sign}{seconds:.1f} s" if seconds >= 1 else f"{sign}{seconds * 1000:.0f} ms"
    return sign + _in_two_units(round(seconds))


def _in_two_units(seconds: int) -> str:
    if seconds < HOUR:
        return f"{seconds // MINUTE} min {seconds % MINUTE:02} s"
    if seconds < DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE:02} min"
    return f"{seconds // DAY} d {seconds % DAY // HOUR} h"


def badge(kind: str, word: str, meaning: str = "") -> SafeString:
    """A word with a coloured mark; `kind` chooses the colour."""
    return format_html('<span class="cn-state cn-{}" title="{}">{}</span>', kind, meaning, word)


def state_badge(state: str, *, retrying: bool = False) -> SafeString:
    """A run's state, as people call it."""
    if retrying:
        return badge("retrying", "Retrying", "failed or was lost, and waits for the next attempt")
    known = State(state)
    return badge(known.value, known.label, MEANING[known])


def run_badge(run: Run) -> SafeString:
    """The state of a run."""
    return state_badge(run.state, retrying=run.retrying)


def in_short(text: str, limit: int = 100) -> str:
    """The first line of a text, cut."""
    lines = text.strip().splitlines()
    line = lines[0] if lines else ""
    return line if len(line) <= limit and len(lines) <= 1 else f"{line[:limit].rstrip()}…"
