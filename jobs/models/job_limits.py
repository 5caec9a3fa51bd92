"""How many runs of a job execute at once, over all workers."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.models.pool import Pool


class Limits(models.Model):
    """The limits of a job's own, and the pool that it shares with others."""

    max_running = models.PositiveIntegerField(
        "running at once",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many of its runs may execute at once, over all workers.",
    )
    pool = models.ForeignKey(
        Pool,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="jobs",
        help_text="Its runs share the slots and the rate of this pool with those of other jobs.",
    )
    key = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="What the runs are told apart by, with their arguments in it: tenant:{kwargs[tenant]}.",
    )
    key_limit = models.PositiveIntegerField(
        "running at once per key",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many runs with the same key may execute at once.",
    )

    class Meta:
        abstract = True

    def limits_in_short(self) -> str:
        """What of the limits the runs themselves have to know; empty where there are none."""
        if self.pool_id is None and self.max_running is None and self.key_limit is None:
            return ""
        return f"pool {self.pool_id}, {'keys' if self.key else 'no keys'}"
