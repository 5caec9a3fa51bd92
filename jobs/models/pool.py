"""Pools: slots and rates that jobs share."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.models.breaker import Breaker
from jobs.models.units import DAY


class Pool(Breaker):
    """A number of slots, and a rate, that the runs of several jobs share over all workers."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    slots = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(1_000_000)],
        help_text="How many runs may execute at once; 0 stops the pool, empty means any number.",
    )
    rate = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many runs may start in a period; empty means any number.",
    )
    period = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(DAY)],
        help_text="The period of the rate, in seconds.",
    )
    ageing = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(30 * DAY)],
        help_text="Seconds of waiting that make a run one step more urgent.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
