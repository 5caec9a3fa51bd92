"""Backfills: ticks of the past that somebody wants to have run."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from jobs.models.choices import BackfillOrder, BackfillState, Redo
from jobs.models.job import Job
from jobs.models.moments import readable

MOST_AT_ONCE = 1000


class Backfill(models.Model):
    """A job's ticks from `first` to `last`, made into runs little by little by `jobs.backfill`."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="backfills")
    first = models.DateTimeField()
    last = models.DateTimeField()
    redo = models.CharField("ticks run again", max_length=10, choices=Redo, default=Redo.NONE)
    order = models.CharField(max_length=10, choices=BackfillOrder, default=BackfillOrder.OLDEST)
    at_once = models.PositiveIntegerField(
        "ticks at once",
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="How many of its ticks may have runs that have not ended.",
    )
    why = models.CharField(max_length=500)
    schedules = models.TextField(help_text="The schedules that gave its ticks when it was started or resumed.")
    state = models.CharField(max_length=10, choices=BackfillState, default=BackfillState.RUNNING)
    reason = models.TextField(default="", help_text="Why it was paused or cancelled, and by whom.")
    total = models.PositiveIntegerField(help_text="How many ticks the range has.")
    seen = models.PositiveIntegerField(default=0, help_text="How many of them were looked at.")
    made = models.PositiveIntegerField(default=0, help_text="How many runs were made.")
    position = models.DateTimeField(null=True, help_text="The next tick to look at; none when all have been.")
    made_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(
        null=True, editable=False, help_text="When its last run had ended, or it was cancelled with all its runs."
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(finished_at__isnull=True), name="backfill_open"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=BackfillState.values), name="backfill_state_known"),
            models.CheckConstraint(condition=models.Q(first__lte=models.F("last")), name="backfill_in_order"),
            models.CheckConstraint(
                condition=models.Q(redo__in=Redo.values) & models.Q(order__in=BackfillOrder.values),
                name="backfill_choices_known",
            ),
            models.CheckConstraint(condition=models.Q(at_once__gte=1), name="backfill_at_once_from_1"),
            readable("backfill_moments", "first", "last", "position"),
        ]

    def __str__(self) -> str:
        return f"{self.job}, {self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"
