"""The table of jobs: what to run and when, and by which rules."""

from collections.abc import Collection, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Now

from jobs import schedules
from jobs.models.breaker import Breaker
from jobs.models.choices import Circuit, FanOut, Gap, Missed, OnCalendar, Overlap, Repeated, RetryPolicy, UpstreamRule
from jobs.models.fields import JSONArrayField, JSONObjectField, is_readable, unstorable_texts
from jobs.models.job_limits import Limits
from jobs.models.job_planning import Planning
from jobs.models.job_retries import Retrying
from jobs.models.job_ticks import TickRules
from jobs.models.job_timing import Timing, default_timezone
from jobs.models.moments import readable
from jobs.models.units import YEAR
from jobs.models.validation import problems_of
from jobs.querysets import JobQuerySet, replanning

__all__ = ["Job", "default_timezone"]  # the first migration looks for the second here


class Job(Timing, TickRules, Retrying, Limits, Breaker, Planning):
    """What to run and when.

    The fields in ENGINE belong to the beat: saving a job never writes them back, so a form that was open for an
    hour cannot undo an hour of scheduling. Changing a field in PLANNING marks the job, and the beat plans it anew
    within a second.
    """

    PLANNING = (
        *("name", "schedule", "timezone", "gap", "repeated", "enabled", "starts_at", "ends_at"),
        *("calendar", "on_calendar", "max_running", "pool", "pool_id", "key", "key_limit"),
    )
    ENGINE = (
        "next_run_at",
        "planned",
        "planned_from",
        "owed_until",
        "planned_schedule",
        "planned_timezone",
        "planned_gap",
        "planned_repeated",
        "planned_key",
        "adjusted_until",
        "planned_limits",
        "error",
        *Breaker.BREAKER_STATE,
    )

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True, default="")
    task = models.CharField(max_length=255, help_text="The registered name of a Celery task.")
    args = JSONArrayField(
        "arguments", blank=True, default=list, help_text='Positional arguments, a JSON list: ["a", 1].'
    )
    kwargs = JSONObjectField(
        "keyword arguments",
        blank=True,
        default=dict,
        help_text='Keyword arguments, a JSON object: {"days": 7}.',
    )
    templated = models.BooleanField(
        "arguments are templates",
        default=False,
        db_default=False,
        help_text="Fill in {scheduled_for:%Y-%m-%d} and the like when the run starts.",
    )
    enabled = models.BooleanField(default=True, help_text="A job that is not enabled makes no ticks.")

    queue = models.CharField(max_length=100, default="celery", help_text="The Celery queue it is sent to.")
    priority = models.PositiveSmallIntegerField(
        default=5, validators=[MaxValueValidator(9)], help_text="0 is the most urgent, 9 the least."
    )
    timeout = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(1), MaxValueValidator(YEAR)],
        help_text="Seconds an attempt may take. The task is then interrupted, and killed a little later.",
    )
    expires = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(YEAR)],
        help_text="Seconds after its tick by which a run must have started; later it counts as missed.",
    )
    keep = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3660)],
        help_text="Days its finished runs are kept.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = JobQuerySet.as_manager()
    _unreadable = False

    class Meta:
        ordering = ["name"]
        permissions = [
            ("trigger_job", "Can run a job now"),
            ("pause_job", "Can pause and resume jobs"),
            ("adjust_job", "Can skip, move and change single ticks"),
            ("backfill_job", "Can backfill jobs"),
        ]
        indexes = [
            models.Index(fields=["next_run_at"], condition=models.Q(next_run_at__isnull=False), name="job_due"),
            models.Index(fields=["id"], condition=models.Q(planned=False), name="job_unplanned"),
            models.Index(fields=["id"], condition=~models.Q(circuit=Circuit.CLOSED), name="job_circuit"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(priority__lte=9), name="job_priority_0_to_9"),
            models.CheckConstraint(condition=models.Q(timeout__gte=1), name="job_timeout_positive"),
            models.CheckConstraint(
                condition=models.Q(overlap__in=Overlap.values)
                & models.Q(missed__in=Missed.values)
                & models.Q(retry_policy__in=RetryPolicy.values)
                & models.Q(gap__in=Gap.values)
                & models.Q(repeated__in=Repeated.values)
                & models.Q(on_calendar__in=OnCalendar.values)
                & models.Q(upstream_rule__in=UpstreamRule.values)
                & models.Q(fan_out__in=FanOut.values),
                name="job_policies_known",
            ),
            readable(
                "job_moments", "starts_at", "ends_at", "next_run_at", "planned_from", "owed_until", "adjusted_until"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def parsed_schedule(self) -> schedules.Schedule:
        """The schedule as written now; ValueError says which part of it is wrong."""
        return schedules.parse(
            self.schedule,
            self.timezone,
            key=self.name,
            gap=self.gap,
            repeated=self.repeated,
            calendar=self.business_days(self.schedule),
        )

    def schedule_in_force(self) -> schedules.Schedule:
        """The schedule by which `next_run_at` was worked out, whatever has been edited since; ValueError as above.

        Business days are those of the calendar as it is now.
        """
        return schedules.parse(
            self.planned_schedule,
            self.planned_timezone,
            key=self.planned_key,
            # Empty on a row that was planned before these columns existed.
            gap=self.planned_gap or Gap.AFTER,
            repeated=self.planned_repeated or Repeated.FIRST,
            calendar=self.business_days(self.planned_schedule),
        )

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """As Django's, which keeps the values that it refuses; and refuse what the database could not hold."""
        errors = unstorable_texts(self, exclude or ())
        self._unreadable = bool(errors)
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            # `clean` must not meet values of another type.
            self._unreadable |= not all(is_readable(self, name) for name in error.error_dict)
            errors = error.error_dict | errors
        if errors:
            raise ValidationError(errors)

    def clean(self) -> None:
        """Refuse what could never run, naming the field."""
        if self._unreadable:
            return
        if errors := problems_of(self):
            raise ValidationError(errors)

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save the user's fields; when one that decides the fire times has changed, mark the job for planning."""
        if self._state.adding:
            super().save(force_insert=force_insert, force_update=force_update, using=using)
        else:
            names = set(self._user_fields() if update_fields is None else update_fields)
            self.updated_at = Now()
            names |= {"updated_at"} | self._replan(names)
            super().save(force_update=force_update, using=using, update_fields=names)
            self.refresh_from_db(fields=["updated_at", *self.ENGINE], using=using)

    def _user_fields(self) -> list[str]:
        return [
            field.name
            for field in self._meta.concrete_fields
            if not field.primary_key
            and field.name not in (*self.ENGINE, "created_at")
            and field.attname in self.__dict__
        ]

    def _replan(self, saved: set[str]) -> set[str]:
        # The row itself is asked whether anything changes: this instance may be older than the last edit.
        # And by the column, so that a calendar is not read for that.
        columns = {field.name: field.attname for field in self._meta.concrete_fields}
        written = {name: getattr(self, columns[name]) for name in saved & set(self.PLANNING)}
        marks = replanning() if written else {}
        for name, mark in marks.items():
            setattr(self, name, Case(When(models.Q(**written), then=F(name)), default=mark))
        return set(marks)
