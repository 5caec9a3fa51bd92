"""What becomes of a job's ticks: when they overlap or are missed, follow other jobs, or are split into several runs."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.models.choices import FanOut, Missed, Overlap, UpstreamRule
from jobs.models.units import YEAR

MOST_SHARDS = 1000
MOST_MADE_UP = 10_000


class TickRules(models.Model):
    """The fields by which a tick becomes runs, or does not."""

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
        validators=[MinValueValidator(1), MaxValueValidator(MOST_MADE_UP)],
        help_text="How many missed ticks are run at most, where all of them are; the earliest go first.",
    )
    grace = models.PositiveIntegerField(
        default=60,
        validators=[MaxValueValidator(YEAR)],
        help_text="Seconds a tick may be late and still be run.",
    )
    upstream_rule = models.CharField(
        "runs when of its upstreams",
        max_length=20,
        choices=UpstreamRule,
        default=UpstreamRule.ALL_SUCCEEDED,
        db_default=UpstreamRule.ALL_SUCCEEDED,
        help_text="For a job that runs after others.",
    )
    fan_out = models.CharField(
        "each tick makes",
        max_length=10,
        choices=FanOut,
        default=FanOut.ONE,
        db_default=FanOut.ONE,
        help_text="Shards share the work of a tick: each run gets its index and their number.",
    )
    shards = models.PositiveSmallIntegerField(
        default=2,
        db_default=2,
        validators=[MinValueValidator(2), MaxValueValidator(MOST_SHARDS)],
        help_text="How many runs a tick makes, where it makes shards.",
    )

    class Meta:
        abstract = True
