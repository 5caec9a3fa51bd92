"""The table of jobs: what to run, when, and by which rules."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, When
from django.db.models.functions import Now

from jobs import schedules
from jobs.models.choices import Gap, Missed, Overlap, Repeated, RetryPolicy
from jobs.models.fields import JSONArrayField, JSONObjectField
from jobs.models.validation import problems_of
from jobs.querysets import JobQuerySet, replanning

DAY = 86_400
YEAR = 366 * DAY


def default_timezone() -> str:
    """A new job's time zone: the project's."""
    return str(settings.TIME_ZONE)


class Job(models.Model):
    """What to run and when.

    The fields in ENGINE belong to the beat: saving a job never writes them back, so a form that was open for an
    hour cannot undo an hour of scheduling. Changing a field in PLANNING marks the job, and the beat plans it anew
    within a second.
    """

    PLANNING = ("name", "schedule", "timezone", "gap", "repeated", "enabled", "starts_at", "ends_at")
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
        "error",
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
    schedule = models.CharField(
        max_length=200,
        help_text="Cron with 5 fields (6 with seconds first, 7 with the year last), @daily, @every 1h30m "
        "or @at 2027-01-01T09:00.",
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
    retry_policy = models.CharField(max_length=20, choices=RetryPolicy, default=RetryPolicy.EXPONENTIAL)
    max_retries = models.PositiveSmallIntegerField(
        default=3, validators=[MaxValueValidator(100)], help_text="How often a failed run is tried again."
    )
    retry_delay = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(30 * DAY)],
        help_text="Seconds before the first retry; exponential backoff doubles it each time.",
    )
    retry_cap = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(1), MaxValueValidator(30 * DAY)],
        help_text="The longest delay, in seconds.",
    )
    retry_jitter = models.BooleanField(
        default=True,
        help_text="Draw each delay at random between zero and its full length, so that failures spread.",
    )
    never_retry = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text="Exceptions after which it is not tried again, by class: ValueError, billing.errors.Refused.",
    )
    only_retry = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text="Exceptions after which alone it is tried again, by class: ConnectionError, TimeoutError.",
    )
    overlap = models.CharField(
        max_length=20,
        choices=Overlap,
        default=Overlap.SKIP,
        help_text="When a tick comes while an earlier run is still live.",
    )
    overlap_limit = models.PositiveIntegerField(
        "most waiting",
        default=100,
        db_default=100,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="How many runs may wait, where they wait one after the other.",
    )
    missed = models.CharField(
        max_length=20,
        choices=Missed,
        default=Missed.LATEST,
        help_text="When ticks could not be run within the grace, for example because no beat was up.",
    )
    missed_limit = models.PositiveIntegerField(
        "most made up for",
        default=100,
        db_default=100,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text="How many missed ticks are run at most, where all of them are; the earliest go first.",
    )
    grace = models.PositiveIntegerField(
        default=60,
        validators=[MaxValueValidator(YEAR)],
        help_text="Seconds a tick may be late and still be run.",
    )
    keep = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3660)],
        help_text="Days its finished runs are kept.",
    )

    next_run_at = models.DateTimeField(null=True, editable=False)
    planned = models.BooleanField(default=False, db_default=False, editable=False)
    planned_from = models.DateTimeField(db_default=Now(), editable=False)
    owed_until = models.DateTimeField(null=True, editable=False)
    planned_schedule = models.CharField(max_length=200, default="", db_default="", editable=False)
    planned_timezone = models.CharField(max_length=64, default="", db_default="", editable=False)
    planned_gap = models.CharField(max_length=10, default="", db_default="", editable=False)
    planned_repeated = models.CharField(max_length=10, default="", db_default="", editable=False)
    planned_key = models.CharField(max_length=200, default="", db_default="", editable=False)
    error = models.TextField(
        default="",
        db_default="",
        editable=False,
        help_text="Why the beat has set the job aside; an edit clears it.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [("trigger_job", "Can run a job now"), ("pause_job", "Can pause and resume jobs")]
        indexes = [
            models.Index(fields=["next_run_at"], condition=models.Q(next_run_at__isnull=False), name="job_due"),
            models.Index(fields=["id"], condition=models.Q(planned=False), name="job_unplanned"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(priority__lte=9), name="job_priority_0_to_9"),
            models.CheckConstraint(condition=models.Q(timeout__gte=1), name="job_timeout_positive"),
            models.CheckConstraint(
                condition=models.Q(overlap__in=Overlap.values)
                & models.Q(missed__in=Missed.values)
                & models.Q(retry_policy__in=RetryPolicy.values)
                & models.Q(gap__in=Gap.values)
                & models.Q(repeated__in=Repeated.values),
                name="job_policies_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def parsed_schedule(self) -> schedules.Schedule:
        """The schedule as written now; ValueError says which part of it is wrong."""
        return schedules.parse(self.schedule, self.timezone, key=self.name, gap=self.gap, repeated=self.repeated)

    def schedule_in_force(self) -> schedules.Schedule:
        """The schedule by which `next_run_at` was worked out, whatever has been edited since; ValueError as above."""
        return schedules.parse(
            self.planned_schedule,
            self.planned_timezone,
            key=self.planned_key,
            # Empty on a row that was planned before these columns existed.
            gap=self.planned_gap or Gap.AFTER,
            repeated=self.planned_repeated or Repeated.FIRST,
        )

    def clean(self) -> None:
        """Refuse what could never run, naming the field."""
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
        written = {name: getattr(self, name) for name in saved & set(self.PLANNING)}
        marks = replanning() if written else {}
        for name, mark in marks.items():
            setattr(self, name, Case(When(models.Q(**written), then=F(name)), default=mark))
        return set(marks)
