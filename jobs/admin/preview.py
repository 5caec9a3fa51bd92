"""The live preview of a schedule: what it means in English, and its next fire times in the job's own zone.

Where the clock is changed the preview says so: a time that is moved or skipped, and one that the clock shows twice.
And where the job's calendar blocks a time it says what becomes of that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from jobs import schedules
from jobs.admin.display import relative
from jobs.admin.preview_calendar import Outcomes, calendar_chosen, rules_chosen
from jobs.admin.wall_clock import read_wall_clock
from jobs.calendars import WorkCalendar

FIRES = 5
MOMENT_BEFORE = timedelta(microseconds=1)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

MOVED = "moved: the clock goes forward"
SKIPPED = "skipped: the clock goes forward"
FIRST_TIME = "first time this hour"
SECOND_TIME = "second time this hour"


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire time, ready to be read; or, without a distance and a zone, a time that the clock and the job skip."""

    at: datetime
    distance: str
    note: str = ""
    blocked: str = ""

    @property
    def runs(self) -> bool:
        """Whether something runs at this time."""
        return bool(self.zone) and not self.blocked

    @property
    def day(self) -> str:
        return f"{self.at:%a}"

    @property
    def local(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def zone(self) -> str:
        """The zone's name at the moment, where it has one, and its offset: "EET, UTC+02:00"."""
        if self.at.tzinfo is None:
            return ""
        name, offset = self.at.tzname() or "", _offset(self.at)
        return f"{name}, {offset}" if name.isalpha() and name != "UTC" else offset


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the form's fields, as texts that may be wrong."""

    schedule: str
    timezone: str
    name: str = ""
    starts_at: str = ""
    ends_at: str = ""
    gap: str = ""
    repeated: str = ""
    calendar: str = ""
    on_calendar: str = ""
    jitter: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Question":
        """The question that a query string asks."""
        return cls(**{name: fields.get(name, "") for name in cls.__dataclass_fields__})


def preview(question: Question, now: datetime) -> SafeString:
    """The preview as HTML; what is wrong with the question, naming the part, is an answer too."""
    return render_to_string("admin/jobs/preview.html", _answer(question, now))


def _answer(question: Question, now: datetime) -> dict[str, object]:
    if not question.schedule.strip():
        return {"empty": True}
    try:
        calendar = calendar_chosen(question.calendar)
        schedule = _read(question, calendar)
        starts_at = _bound("start", question.starts_at, schedule)
        ends_at = _bound("end", question.ends_at, schedule)
    except ValueError as error:
        return {"error": str(error)}
    outcomes = None
    if calendar is not None:
        bounds = (starts_at, ends_at)
        rules = rules_chosen(calendar, question.on_calendar, question.name, question.jitter, bounds)
        outcomes = Outcomes(rules, schedule, now)
    after = max(now, starts_at - MOMENT_BEFORE) if starts_at else now
    times = list(_times(schedule, after, ends_at))
    rows = _rows(schedule, times, now, after, ends_at)
    try:
        rows = [replace(row, blocked=outcomes.told(row.at)) if outcomes and row.zone else row for row in rows]
    except ValueError as error:
        return {"error": str(error)}
    return {
        "words": schedule.describe(),
        "zone": schedule.timezone,
        "rows": rows,
        "noted": any(row.note for row in rows),
        "blocked": any(row.blocked for row in rows),
        "after_others": schedule.text == "@after",
        "fires": bool(times),
        "short": len(times) < FIRES,
    }


def _read(question: Question, calendar: WorkCalendar | None) -> schedules.Schedule:
    """The schedule; what is left empty has its default."""
    options = {name: value for name in ("gap", "repeated") if (value := getattr(question, name).strip())}
    return schedules.parse(
        question.schedule, question.timezone.strip(), key=question.name, calendar=calendar, **options
    )


def _bound(name: str, text: str, schedule: schedules.Schedule) -> datetime | None:
    try:
        return read_wall_clock(text, schedule.timezone)
    except ValidationError as error:
        raise ValueError(f"{name}: {' '.join(error.messages)}") from error


def _times(schedule: schedules.Schedule, after: datetime, ends_at: datetime | None) -> Iterator[datetime]:
    for _ in range(FIRES):
        upcoming = schedule.next_after(after)
        if upcoming is None or (ends_at is not None and upcoming > ends_at):
            return
        yield upcoming
        after = upcoming


def _rows(
    schedule: schedules.Schedule, times: list[datetime], now: datetime, after: datetime, ends_at: datetime | None
) -> list[Fire]:
    """The fire times, with what the clock skips up to the last of them, or to the end if there are no more."""
    until = times[-1] if len(times) == FIRES else ends_at or LAST_MOMENT
    skipped = list(islice(schedule.skipped_between(after, until), FIRES))
    moved = {gap.gap_end.astimezone(UTC) for gap in skipped if gap.run}
    rows = [(gap.gap_end.astimezone(UTC), 0, Fire(gap.first, "", _told(gap))) for gap in skipped if not gap.run]
    for at in times:
        note = MOVED if at.astimezone(UTC) in moved else _repeat(at)
        rows.append((at.astimezone(UTC), 1, Fire(at, relative(at, now), note)))
    return [row for *_, row in sorted(rows, key=lambda row: row[:2])]


def _told(gap: schedules.SkippedTimes) -> str:
    """What is said of a time that is skipped, and of the others that share its gap."""
    return SKIPPED if gap.count == 1 else f"{SKIPPED} ({gap.count - 1:,} more with it)"


def _repeat(at: datetime) -> str:
    """Which of two times this is, where the clock shows it twice."""
    if at.replace(fold=0).utcoffset() == at.replace(fold=1).utcoffset():
        return ""
    return SECOND_TIME if at.fold else FIRST_TIME


def _offset(at: datetime) -> str:
    """Its distance from UTC: "UTC+02:00"."""
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
