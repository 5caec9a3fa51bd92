"""Changes to single ticks of a job: who made them, why, and until when."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from jobs.models.choices import Adjust
from jobs.models.fields import JSONArrayField, JSONObjectField, refuse_what_postgres_refuses
from jobs.models.job import Job
from jobs.models.moments import readable


class Adjustment(models.Model):
    """What somebody decided for one tick of a job, or for all its ticks from `first` to `last`.

    `jobs.adjust` makes them and takes them back; no two that are not taken back are for the same tick. Their rows
    stay, as the history of who decided what.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="adjustments")
    action = models.CharField(max_length=10, choices=Adjust)
    first = models.DateTimeField(help_text="The tick it is for, or the first of them.")
    last = models.DateTimeField(help_text="The last moment whose tick it is for.")
    moved_to = models.DateTimeField(null=True, blank=True, help_text="When the tick runs instead.")
    args = JSONArrayField("arguments", null=True, blank=True)
    kwargs = JSONObjectField("keyword arguments", null=True, blank=True)
    reason = models.CharField(max_length=500)
    made_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    taken_back_at = models.DateTimeField(null=True, editable=False)
    taken_back_by = models.CharField(max_length=200, default="", db_default="", editable=False)

    class Meta:
        ordering = ["first"]
        indexes = [
            models.Index(
                fields=["job", "last"], condition=models.Q(taken_back_at__isnull=True), name="adjustment_in_force"
            ),
            models.Index(fields=["job", "-id"], name="adjustment_of_job"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=Adjust.values), name="adjustment_known"),
            models.CheckConstraint(condition=models.Q(first__lte=models.F("last")), name="adjustment_in_order"),
            models.CheckConstraint(
                condition=models.Q(action=Adjust.SKIP) | models.Q(first=models.F("last")), name="adjustment_of_one_tick"
            ),
            models.CheckConstraint(
                condition=models.Q(action=Adjust.SNOOZE, moved_to__isnull=False, moved_to__gt=models.F("first"))
                | (~models.Q(action=Adjust.SNOOZE) & models.Q(moved_to__isnull=True)),
                name="adjustment_moved_later",
            ),
            readable("adjustment_moments", "first", "last", "moved_to"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.reason}"

    def clean(self) -> None:
        """Refuse what makes no sense, naming the field."""
        errors: dict[str, object] = {}
        for field, empty in (("reason", "say why, for those who look at the ledger later"), ("made_by", "say who")):
            if not getattr(self, field).strip():
                errors[field] = empty
            try:
                refuse_what_postgres_refuses(getattr(self, field))
            except ValidationError as error:
                errors[field] = error
        if self.last < self.first:
            errors["last"] = "must not be before the tick"
        if self.action == Adjust.SNOOZE and (self.moved_to is None or self.moved_to <= self.first):
            errors["moved_to"] = "must be after the tick's own time"
        if self.action == Adjust.ARGUMENTS and self.args is None and self.kwargs is None:
            errors["args"] = "give arguments, keyword arguments, or both"
        if errors:
            raise ValidationError(errors)
