"""The circuit breaker of a job or of a pool: its rules, and what the beat knows of it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from jobs.models.choices import Circuit
from jobs.models.units import DAY
from jobs.models.validate_breaker import breaker_problems
from jobs.policies.breaker import BreakerRules
from jobs.policies.retry import class_names


class Breaker(models.Model):
    """The fields of a circuit breaker; `jobs.policies.breaker` decides by them. The fields in BREAKER_STATE belong to
    the beat.
    """

    BREAKER_STATE = ("circuit", "circuit_reason", "circuit_changed_at", "circuit_counts_from", "circuit_probe")

    breaker_failures = models.PositiveIntegerField(
        "failures in a row",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="After so many failed runs in a row it is paused.",
    )
    breaker_percent = models.PositiveSmallIntegerField(
        "or per cent of failures",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="When at least so many per cent of its last runs have failed it is paused.",
    )
    breaker_window = models.PositiveSmallIntegerField(
        "of the last runs",
        default=20,
        db_default=20,
        validators=[MinValueValidator(2), MaxValueValidator(1000)],
        help_text="How many finished runs the per cent are of.",
    )
    breaker_exceptions = models.CharField(
        "counting only",
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text="Count only failures with these exceptions, by class: ConnectionError. Empty means all failures.",
    )
    breaker_pause = models.PositiveIntegerField(
        "pause",
        default=300,
        db_default=300,
        validators=[MinValueValidator(1), MaxValueValidator(30 * DAY)],
        help_text="Seconds after which one run is let through as a probe.",
    )
    circuit = models.CharField(
        max_length=10, choices=Circuit, default=Circuit.CLOSED, db_default=Circuit.CLOSED, editable=False
    )
    circuit_reason = models.TextField(default="", db_default="", editable=False)
    circuit_changed_at = models.DateTimeField(null=True, editable=False)
    circuit_counts_from = models.DateTimeField(null=True, editable=False)
    circuit_probe = models.UUIDField(null=True, editable=False)

    class Meta:
        abstract = True

    def breaker_rules(self) -> BreakerRules:
        """The rules as the policy takes them."""
        return BreakerRules(
            failures=self.breaker_failures,
            percent=self.breaker_percent,
            window=self.breaker_window,
            exceptions=class_names(self.breaker_exceptions),
            pause=timedelta(seconds=self.breaker_pause),
        )

    def clean(self) -> None:
        """Refuse rules that contradict each other, naming the field."""
        super().clean()
        if errors := breaker_problems(self):
            raise ValidationError(errors)

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save what people decide: a form that was open for an hour does not undo an hour of the breaker's work."""
        if not self._state.adding and update_fields is None:
            fields = (field for field in self._meta.concrete_fields if not field.primary_key)
            known = {field.name for field in fields if field.attname in self.__dict__}
            update_fields = known - set(self.BREAKER_STATE)
        super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=update_fields)
