"""What a job's calendar makes of its fire times, for the preview."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from jobs.calendars import Block, WorkCalendar
from jobs.models import Calendar
from jobs.models.choices import OnCalendar
from jobs.policies import on_calendar
from jobs.policies.jitter import delay_of
from jobs.policies.on_calendar import CalendarRules
from jobs.schedules import Schedule

MOST_JITTER = 86_400


def calendar_chosen(text: str) -> WorkCalendar | None:
    """The calendar with the id that a form has, None for an empty one; ValueError names what is wrong."""
    if not text.strip():
        return None
    found = Calendar.objects.light().filter(pk=int(text)).first() if text.strip().isdecimal() else None
    if found is None:
        raise ValueError("calendar: there is no such calendar")
    return found.value()


def rules_chosen(
    calendar: WorkCalendar, kind: str, name: str, jitter: str, bounds: tuple[datetime | None, datetime | None]
) -> CalendarRules:
    """The rules that a form has; what is empty or odd has its default."""
    seconds = min(int(jitter), MOST_JITTER) if jitter.strip().isdecimal() else 0
    known = kind if kind in OnCalendar.values else OnCalendar.SKIP.value
    return CalendarRules(known, calendar, delay_of(name, seconds), *bounds)


@dataclass(slots=True)
class Outcomes:
    """What becomes of one fire time after the other."""

    rules: CalendarRules
    schedule: Schedule
    now: datetime
    _stood_for: set[Block] = field(default_factory=set)

    def told(self, tick: datetime) -> str:
        """What becomes of a fire time; empty when nothing blocks it."""
        tick = tick.astimezone(UTC)
        start = tick + self.rules.delay
        early = on_calendar.early(self.rules, self.schedule, tick)
        if early is not None and early.before > self.now:
            return f"runs at {self._local(max(early.due_at, self.now))}: {early.note}"
        match on_calendar.decide(self.rules, self.schedule, tick, start, self._stands_in):
            case on_calendar.Skip(reason):
                return f"skipped: {reason}"
            case on_calendar.Postpone(due_at, note):
                return f"runs at {self._local(due_at)}: {note}"
        return ""

    def _stands_in(self, block: Block) -> bool:
        # Without its reason, which tells what blocks at a moment of it.
        block = block._replace(reason="")
        seen = block in self._stood_for
        self._stood_for.add(block)
        return seen

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.schedule.timezone):%Y-%m-%d %H:%M %Z}"
