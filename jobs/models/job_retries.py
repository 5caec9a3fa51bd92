"""What follows when an attempt of a job fails."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.models.choices import RetryPolicy
from jobs.models.units import DAY


class Retrying(models.Model):
    """The fields of the retry policy; `jobs.policies.retry` decides by them."""

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

    class Meta:
        abstract = True
