"""Canaries: a changed definition of a job, tried on a part of its ticks."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from jobs.models.choices import CanaryState
from jobs.models.fields import JSONArrayField, JSONObjectField
from jobs.models.job import Job
from jobs.models.units import YEAR
from jobs.models.validate_canary import canary_problems


class Canary(models.Model):
    """A part of a job's ticks goes to another queue, or by another definition, until it is promoted or reverted.

    What is empty is as the job has it.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="canaries")
    percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How many per cent of the ticks; empty means one shard of each tick.",
    )
    queue = models.CharField(max_length=100, blank=True, default="", help_text="The queue of the new workers.")
    task = models.CharField(max_length=255, blank=True, default="")
    args = JSONArrayField("arguments", null=True, blank=True)
    kwargs = JSONObjectField("keyword arguments", null=True, blank=True)
    timeout = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(YEAR)]
    )
    least_runs = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="How many of its runs must have finished before it is judged.",
    )
    failure_margin = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(100)],
        help_text="By how many percentage points its failure rate may be above that of the others.",
    )
    duration_margin = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=50,
        validators=[MaxValueValidator(10_000)],
        help_text="By how many per cent its median duration may be above that of the others; empty means any.",
    )
    state = models.CharField(max_length=10, choices=CanaryState, default=CanaryState.RUNNING, editable=False)
    reason = models.TextField(default="", editable=False)
    made_by = models.CharField(max_length=200, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "canaries"
        constraints = [
            models.UniqueConstraint(
                fields=["job"],
                condition=models.Q(state=CanaryState.RUNNING),
                name="canary_one_at_a_time",
                violation_error_message="the job has a canary already: promote it or revert it first",
            ),
            models.CheckConstraint(condition=models.Q(state__in=CanaryState.values), name="canary_state_known"),
        ]

    def __str__(self) -> str:
        return f"canary of {self.job}"

    def clean(self) -> None:
        """Refuse what would try nothing, or could not be tried, naming the field."""
        if self.job_id is None:
            return
        if errors := canary_problems(self):
            raise ValidationError(errors)
        running = Canary.objects.filter(job=self.job_id, state=CanaryState.RUNNING).exclude(pk=self.pk)
        if self.state == CanaryState.RUNNING and running.exists():
            raise ValidationError("the job has a canary already: promote it or revert it first")
