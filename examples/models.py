"""The examples' tables."""

from django.db import models
from django.db.models.functions import Now


class Contact(models.Model):
    """Somebody to call; kept the same as a CSV file by the job that syncs it."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100)
    team = models.CharField(max_length=50)

    class Meta:
        ordering = ["team", "name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.team})"


class LoadedExample(models.Model):
    """An example job that has been loaded once; it is not loaded again, even when its job was deleted."""

    name = models.CharField(max_length=200, unique=True)
    loaded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
