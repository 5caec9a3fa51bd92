"""The workers that are alive: one row, and one short update per heartbeat, for each worker process."""

import uuid

from django.db import models


class Worker(models.Model):
    """A living worker process and its lease. A row that is gone means: declared dead, or stopped."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255, help_text="Celery's node name.")
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    pool = models.CharField(max_length=50)
    concurrency = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    direct_queue = models.CharField(
        max_length=300, default="", db_default="", help_text="The queue that it alone serves, if it has one."
    )
    tasks = models.JSONField(default=list, help_text="The names of the tasks it knows.")
    version = models.CharField(max_length=50)
    running = models.PositiveIntegerField(default=0, help_text="How many tasks it is executing.")
    executing = models.JSONField(default=list, db_default=[], help_text="The ids of the runs it is executing.")
    draining = models.BooleanField(default=False, help_text="It is shutting down and takes no more runs.")
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    lease_until = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
