"""Which job runs after which."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from jobs.models.job import Job
from jobs.models.validate_upstreams import problem_of


class Upstream(models.Model):
    """`job` runs after `upstream`, for the same tick."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="upstreams")
    upstream = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="downstreams")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["job", "upstream"], name="upstream_once", violation_error_message="it runs after that already"
            ),
            models.CheckConstraint(
                condition=~models.Q(job=models.F("upstream")),
                name="upstream_is_another",
                violation_error_message="a job cannot run after itself",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job} after {self.upstream}"

    def clean(self) -> None:
        """Refuse what makes a cycle, naming it."""
        if self.job_id is None or self.upstream_id is None:
            return
        if problem := problem_of(self.job, self.upstream):
            raise ValidationError(problem)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it, unless it would make a cycle, also together with what somebody else saves at the same moment."""
        with transaction.atomic():
            self.clean()
            super().save(*args, **kwargs)
