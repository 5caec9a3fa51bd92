"""What the beat keeps of a job: by which schedule its next tick was worked out, and how far it has come."""

from django.db import models
from django.db.models.functions import Now


class Planning(models.Model):
    """Fields that belong to the beat. Saving a job never writes them back."""

    next_run_at = models.DateTimeField(null=True, editable=False)
    planned = models.BooleanField(default=False, db_default=False, editable=False)
    planned_from = models.DateTimeField(db_default=Now(), editable=False)
    owed_until = models.DateTimeField(null=True, editable=False)
    planned_schedule = models.CharField(max_length=200, default="", db_default="", editable=False)
    planned_timezone = models.CharField(max_length=64, default="", db_default="", editable=False)
    planned_gap = models.CharField(max_length=10, default="", db_default="", editable=False)
    planned_repeated = models.CharField(max_length=10, default="", db_default="", editable=False)
    planned_key = models.CharField(max_length=200, default="", db_default="", editable=False)
    adjusted_until = models.DateTimeField(null=True, editable=False)
    planned_limits = models.CharField(max_length=50, default="", db_default="", editable=False)
    error = models.TextField(
        default="",
        db_default="",
        editable=False,
        help_text="Why the beat has set the job aside; an edit clears it.",
    )

    class Meta:
        abstract = True
