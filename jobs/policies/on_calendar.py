"""What becomes of a tick that falls into what the job's calendar blocks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.calendars import Block, WorkCalendar
from jobs.schedules import Schedule

MICROSECOND = timedelta(microseconds=1)
RIGHT_BEFORE = timedelta(minutes=1)
"""How long before a block begins the run is due that stands for its ticks."""
POSTPONED = "postponed by the calendar"
"""How the note of a run begins that stands for the ticks of a block and is due at its end."""
EARLY = "run before the block of the calendar"


@dataclass(frozen=True, slots=True)
class CalendarRules:
    """A job's calendar and what it does on a hit: `kind` is skip, postpone or before.

    A tick starts `delay` after its own time; the job has no ticks outside of its bounds.
    """

    kind: str
    calendar: WorkCalendar
    delay: timedelta = timedelta(0)
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """Nothing blocks it."""


@dataclass(frozen=True, slots=True)
class Skip:
    """It does not run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Postpone:
    """It runs when the block has ended."""

    due_at: datetime
    note: str


Decision = Go | Skip | Postpone


@dataclass(frozen=True, slots=True)
class Early:
    """A tick that runs before its block begins: from `due_at` on, until `before`."""

    tick: datetime
    due_at: datetime
    before: datetime
    note: str


def decide(
    rules: CalendarRules, schedule: Schedule, tick: datetime, start: datetime, stands_in: Callable[[Block], bool]
) -> Decision:
    """What becomes of a tick that would start at `start`.

    `stands_in` tells whether a run that was postponed stands for the ticks of a block already.
    """
    block = rules.calendar.blocking(start)
    if block is None:
        return Go()
    match rules.kind:
        case "postpone":
            return _postpone(rules, block, stands_in)
        case "before":
            return Skip(_too_late(rules, schedule, tick, block))
        case _:
            return Skip(_why(rules.calendar, block))


def early(rules: CalendarRules, schedule: Schedule, upcoming: datetime) -> Early | None:
    """When the next tick runs instead, if it is the first of a block, and there is time before it.

    A minute before, but not before the job's start, nor within another block.
    """
    upcoming = upcoming.astimezone(UTC)
    if rules.kind != "before" or (rules.ends_at is not None and upcoming > rules.ends_at):
        return None
    block = rules.calendar.blocking(upcoming + rules.delay)
    if block is None or block.start is None or upcoming != first_tick(rules, schedule, block):
        return None
    due_at = block.start - RIGHT_BEFORE
    if rules.starts_at is not None:
        due_at = max(due_at, rules.starts_at)
    if due_at < block.start and (other := rules.calendar.blocking(due_at)):
        due_at = other.end or block.start
    if due_at >= block.start:
        return None
    return Early(upcoming, due_at, block.start, f"{EARLY} {rules.calendar.name}: {block.reason}")


def first_tick(rules: CalendarRules, schedule: Schedule, block: Block) -> datetime | None:
    """The first tick of the job that falls into the block; None where its beginning is not known."""
    if block.start is None:
        return None
    after = block.start - rules.delay - MICROSECOND
    if rules.starts_at is not None:
        after = max(after, rules.starts_at - MICROSECOND)
    found = schedule.next_after(after)
    return found and found.astimezone(UTC)


def let_go(calendar: WorkCalendar, now: datetime, delay: timedelta) -> datetime | None:
    """When a run that waits for the calendar may start: now, or when what blocks ends; None if that is unknown."""
    block = calendar.blocking(now)
    if block is None:
        return now
    return None if block.end is None else _end(calendar, block.end, delay)


def _postpone(rules: CalendarRules, block: Block, stands_in: Callable[[Block], bool]) -> Decision:
    why = _why(rules.calendar, block)
    if block.end is None:
        return Skip(f"{why}; an end to postpone it to is not known")
    if rules.ends_at is not None and block.end > rules.ends_at:
        return Skip(f"{why}, and so beyond the job's end")
    if stands_in(block):
        return Skip(f"{why}; one run stands for all ticks of the block, and is due at its end")
    note = f"{POSTPONED} {rules.calendar.name}: {block.reason}"
    return Postpone(_end(rules.calendar, block.end, rules.delay), note)


def _end(calendar: WorkCalendar, end: datetime, delay: timedelta) -> datetime:
    """The end of a block, with the job's delay, so that not all start at once, where that is free as well."""
    return end if calendar.blocking(end + delay) else end + delay


def _too_late(rules: CalendarRules, schedule: Schedule, tick: datetime, block: Block) -> str:
    why, first = _why(rules.calendar, block), first_tick(rules, schedule, block)
    if first is None or first >= tick:
        return f"{why}; it could not be run before the block"
    return f"{why}; one run stands for all ticks of the block, for {rules.calendar.told(first)}, and was due before it"


def _why(calendar: WorkCalendar, block: Block) -> str:
    until = "for more than a year" if block.end is None else f"until {calendar.told(block.end)}"
    return f"calendar {calendar.name}: {block.reason}, {until}"
