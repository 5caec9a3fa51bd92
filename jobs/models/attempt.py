"""The attempts that did not succeed; the one that did is told by the run's own row."""

from django.db import models

from jobs.models.run import Run


class Outcome(models.TextChoices):
    """How an attempt ended that did not succeed."""

    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Timed out"
    LOST = "lost", "Lost with its worker"
    GIVEN_BACK = "given_back", "Given back by a worker that stopped"
    UNKNOWN_TASK = "unknown_task", "The worker does not know the task"


class Attempt(models.Model):
    """One execution of a run that failed, was lost or was given back."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=20, choices=Outcome)
    error = models.TextField(default="", db_default="")
    traceback = models.TextField(default="", db_default="")
    worker_name = models.CharField(max_length=255, default="", db_default="")
    pid = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="attempt_once"),
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="attempt_outcome_known"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"
