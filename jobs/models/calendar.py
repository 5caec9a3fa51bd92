"""Calendars: when jobs do not run, and which days are business days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models.functions import Now

from jobs import calendars, schedules
from jobs.models.calendar_queries import CalendarQuerySet, PartQuerySet, later, touch
from jobs.models.moments import readable
from jobs.models.validate_calendar import blackout_problems, calendar_problems, freeze_problems

LONGEST_BLACKOUT = 31 * 24 * 60
"""Minutes."""

_values: dict[int, calendars.WorkCalendar] = {}
"""The calendars that this process has read, each as it was last."""


class Calendar(models.Model):
    """What blocks the ticks of the jobs that go by it: holidays, an imported iCalendar file, freezes, blackouts."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    timezone = models.CharField(
        "time zone", max_length=64, default="UTC", help_text="Whose midnight begins a holiday: Europe/Riga."
    )
    countries = models.CharField(
        "public holidays of",
        max_length=200,
        blank=True,
        default="",
        help_text="Country codes, with a subdivision if wanted: LV, DE-BY.",
    )
    weekend = models.CharField(
        max_length=30,
        blank=True,
        default="SAT, SUN",
        help_text="The days of the week that are no business days. They block nothing.",
    )
    ical = models.TextField("iCalendar file", blank=True, default="", help_text="The events in it block.")
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = CalendarQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what is not understood, naming the field."""
        if errors := calendar_problems(self):
            raise ValidationError(errors)

    def save(self, **options: Any) -> None:
        """Save it, and mark its jobs for planning."""
        if self._state.adding:
            super().save(**options)
            self.refresh_from_db(fields=["updated_at"])
            return
        if options.get("update_fields") is not None:
            options["update_fields"] = {*options["update_fields"], "updated_at"}
        with transaction.atomic():
            self.updated_at = later()
            super().save(**options)
            type(self).objects.filter(pk=self.pk).update()
            self.refresh_from_db(fields=["updated_at"])

    def value(self) -> calendars.WorkCalendar:
        """What it says, read once for each version of it; ValueError when that makes no sense."""
        key = (self.pk, self.updated_at)
        if self.pk is None:
            return self._read(key)
        found = _values.get(self.pk)
        if found is None or found.key != key:
            found = _values[self.pk] = self._read(key)
        return found

    def _read(self, key: object) -> calendars.WorkCalendar:
        parts = self.pk is not None
        try:
            zone = calendars.read_zone(self.timezone)
            return calendars.WorkCalendar(
                key,
                self.name,
                zone,
                calendars.read_regions(self.countries),
                calendars.read_weekend(self.weekend),
                calendars.read_events(self.ical, zone),
                tuple(freeze.value() for freeze in self.freezes.all()) if parts else (),
                tuple(blackout.value(self.timezone) for blackout in self.blackouts.all()) if parts else (),
            )
        except ValueError as error:
            raise calendars.CalendarError(f"calendar {self.name}: {error}") from error


class Part(models.Model):
    """A part of a calendar: saving or deleting it changes the calendar."""

    objects = PartQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, **options: Any) -> None:
        """Save it, and mark the calendar's jobs for planning."""
        with transaction.atomic():
            before = set(type(self).objects.filter(pk=self.pk).values_list("calendar_id", flat=True))
            super().save(**options)
            touch(type(self), {self.calendar_id, *before})  # type: ignore[attr-defined]

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete it, and mark the calendar's jobs for planning."""
        with transaction.atomic():
            deleted = super().delete(*args, **options)
            touch(type(self), {self.calendar_id})  # type: ignore[attr-defined]
        return deleted


class Freeze(Part):
    """A stretch of time, from the first moment to right before the last, that a calendar blocks."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="freezes")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(starts_at__lt=models.F("ends_at")), name="freeze_begins_first"),
            readable("freeze_moments", "starts_at", "ends_at"),
        ]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        """Refuse what is not understood, naming the field."""
        if errors := freeze_problems(self):
            raise ValidationError(errors)

    def value(self) -> calendars.Span:
        """The stretch."""
        return calendars.Span(self.starts_at, self.ends_at, self.reason)


class Blackout(Part):
    """A stretch of time that a calendar blocks again and again, beginning at each fire time of a schedule."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="blackouts")
    schedule = models.CharField(max_length=200, help_text="When it begins, in the calendar's time zone: 0 18 * * FRI.")
    minutes = models.PositiveIntegerField(
        help_text="How long it lasts.", validators=[MinValueValidator(1), MaxValueValidator(LONGEST_BLACKOUT)]
    )
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        """Refuse what is not understood, naming the field."""
        if errors := blackout_problems(self):
            raise ValidationError(errors)

    def value(self, timezone: str) -> calendars.Blackout:
        """The stretches in the zone of the calendar; ValueError when the schedule or the length is wrong."""
        schedule = schedules.parse(self.schedule, timezone, key=self.reason)
        if not 1 <= self.minutes <= LONGEST_BLACKOUT:  # no form lets that through, but a row may hold it
            raise ValueError(f"blackout {self.reason}: minutes: {self.minutes} is not in 1-{LONGEST_BLACKOUT}")
        return calendars.Blackout(schedule, timedelta(minutes=self.minutes), self.reason)
