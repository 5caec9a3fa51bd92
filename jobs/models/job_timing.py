"""When a job runs: its schedule, what the clock's changes make of it, its calendar, and how far it is spread."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from jobs.calendars import WorkCalendar
from jobs.models.calendar import Calendar
from jobs.models.choices import Gap, OnCalendar, Repeated
from jobs.models.units import DAY
from jobs.schedules import has_business_days


def default_timezone() -> str:
    """A new job's time zone: the project's."""
    return str(settings.TIME_ZONE)


class Timing(models.Model):
    """The fields that give a job's ticks, and when each may be sent."""

    schedule = models.CharField(
        max_length=200,
        help_text="Cron with 5 fields (6 with seconds first, 7 with the year last), @daily, @every 1h30m, "
        "@at 2027-01-01T09:00, or @after: only after other jobs, or by hand.",
    )
    timezone = models.CharField(
        "time zone",
        max_length=64,
        default=default_timezone,
        help_text="The zone of the schedule: Europe/Riga.",
    )
    gap = models.CharField(
        "skipped hour",
        max_length=10,
        choices=Gap,
        default=Gap.AFTER,
        db_default=Gap.AFTER,
        help_text="When the clock goes forward over a fixed time.",
    )
    repeated = models.CharField(
        "repeated hour",
        max_length=10,
        choices=Repeated,
        default=Repeated.FIRST,
        db_default=Repeated.FIRST,
        help_text="When the clock goes back over a fixed time.",
    )
    starts_at = models.DateTimeField(null=True, blank=True, help_text="No tick before this moment.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="No tick after this moment.")
    calendar = models.ForeignKey(
        Calendar,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="jobs",
        help_text="Holidays, freezes and blackouts in which it does not run.",
    )
    on_calendar = models.CharField(
        "on a blocked tick",
        max_length=10,
        choices=OnCalendar,
        default=OnCalendar.SKIP,
        db_default=OnCalendar.SKIP,
        help_text="When a tick falls into what the calendar blocks.",
    )
    jitter = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(DAY)],
        help_text="Seconds over which jobs with the same schedule spread: each has its own fixed delay within them.",
    )

    class Meta:
        abstract = True

    def work_calendar(self) -> WorkCalendar | None:
        """What the job's calendar says, None without one; ValueError when that makes no sense."""
        if self.calendar_id is None:
            return None
        if not self._meta.get_field("calendar").is_cached(self):  # type: ignore[union-attr]
            self.calendar = Calendar.objects.light().filter(pk=self.calendar_id).first()
        if self.calendar is None:
            raise ValueError("calendar: there is no such calendar")
        return self.calendar.value()

    def business_days(self, schedule: str) -> WorkCalendar | None:
        """The calendar by which to read a schedule's text: none is asked for where that has no business days."""
        return self.work_calendar() if has_business_days(schedule) else None
