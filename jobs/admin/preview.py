"""The live preview of a schedule: what it means in English, and its next fire times in the job's own zone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from jobs import schedules
from jobs.admin.display import relative
from jobs.admin.wall_clock import read_wall_clock

FIRES = 5
MOMENT_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire time, ready to be read."""

    at: datetime
    distance: str

    @property
    def day(self) -> str:
        return f"{self.at:%a}"

    @property
    def local(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def zone(self) -> str:
        """The zone's name at the moment, where it has one, and its offset: "EET, UTC+02:00"."""
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
        schedule = schedules.parse(question.schedule, question.timezone.strip(), key=question.name)
        starts_at = _bound("start", question.starts_at, schedule)
        ends_at = _bound("end", question.ends_at, schedule)
    except ValueError as error:
        return {"error": str(error)}
    fires = list(_fires(schedule, now, starts_at, ends_at))
    return {"words": schedule.describe(), "zone": schedule.timezone, "fires": fires, "short": len(fires) < FIRES}


def _bound(name: str, text: str, schedule: schedules.Schedule) -> datetime | None:
    try:
        return read_wall_clock(text, schedule.timezone)
    except ValidationError as error:
        raise ValueError(f"{name}: {' '.join(error.messages)}") from error


def _fires(
    schedule: schedules.Schedule, now: datetime, starts_at: datetime | None, ends_at: datetime | None
) -> Iterator[Fire]:
    after = max(now, starts_at - MOMENT_BEFORE) if starts_at else now
    for _ in range(FIRES):
        upcoming = schedule.next_after(after)
        if upcoming is None or (ends_at is not None and upcoming > ends_at):
            return
        yield Fire(upcoming, relative(upcoming, now))
        after = upcoming


def _offset(at: datetime) -> str:
    """Its distance from UTC: "UTC+02:00"."""
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
