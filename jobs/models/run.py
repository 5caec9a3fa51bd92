"""The ledger: one row for every tick that was due, and for every run somebody asked for."""

import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Left, Now

from jobs.models.backfill import Backfill
from jobs.models.canary import Canary
from jobs.models.choices import UpstreamState
from jobs.models.fields import JSONArrayField, JSONObjectField
from jobs.models.job import Job
from jobs.models.pool import Pool
from jobs.querysets import RunQuerySet
from jobs.states import LIVE, TERMINAL, State, Trigger

WITH_WORKERS = (State.QUEUED, State.RUNNING)
HOLDING = (State.SCHEDULED, State.QUEUED, State.RUNNING)
"""The states in which a limited run has its slot."""


class Run(models.Model):
    """A tick's (or a trigger's) row. Its id is the Celery task id. Only `jobs.transitions` writes its state.

    What it executes (task, arguments, queue, timeout) is copied from the job when the run is made, so the ledger
    tells what ran even after the job has changed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="runs", db_index=False)
    trigger = models.CharField(max_length=20, choices=Trigger)
    retry_of = models.UUIDField(null=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, editable=False)
    scheduled_for = models.DateTimeField(help_text="The tick's own time.")
    last_scheduled_for = models.DateTimeField(null=True, help_text="The last tick of a stretch of missed ones.")
    ticks = models.PositiveIntegerField(default=1, db_default=1, help_text="How many ticks this row stands for.")
    shard = models.PositiveSmallIntegerField(default=0, db_default=0)
    shards = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Into how many runs its tick is split."
    )
    group_id = models.UUIDField(
        null=True, editable=False, help_text="The first of the runs of its tick, where there are several."
    )
    for_worker = models.CharField(
        max_length=255, default="", db_default="", help_text="The only worker that may run it."
    )
    origin = models.UUIDField(null=True, editable=False, help_text="The run by hand that took this one along.")
    backfill = models.ForeignKey(Backfill, on_delete=models.SET_NULL, null=True, related_name="runs", db_index=False)
    canary = models.ForeignKey(Canary, on_delete=models.SET_NULL, null=True, related_name="runs", db_index=False)
    interval_start = models.DateTimeField(
        null=True, help_text="Where its data interval begins, if not by its own schedule."
    )
    note = models.TextField(default="", db_default="", help_text="What was decided for it, and by whom.")

    task = models.CharField(max_length=255)
    args = JSONArrayField(default=list)
    kwargs = JSONObjectField(default=dict)
    queue = models.CharField(max_length=100)
    priority = models.PositiveSmallIntegerField()
    timeout = models.PositiveIntegerField()
    templated = models.BooleanField(default=False, db_default=False)

    pool = models.ForeignKey(Pool, on_delete=models.SET_NULL, null=True, related_name="runs", db_index=False)
    limited = models.BooleanField(default=False, db_default=False, help_text="It needs a slot before it is sent.")
    limit_key = models.CharField(max_length=200, default="", db_default="")
    upstream = models.CharField(max_length=10, choices=UpstreamState, default="", db_default="", blank=True)
    unsettled = models.BooleanField(default=False, db_default=False, help_text="Something is to follow from its end.")

    state = models.CharField(max_length=20, choices=State)
    reason = models.TextField(default="", db_default="")
    attempt = models.PositiveIntegerField(default=1, db_default=1)
    retries = models.PositiveIntegerField(default=0, db_default=0, help_text="Failed attempts so far.")
    losses = models.PositiveIntegerField(default=0, db_default=0, help_text="Attempts lost with their worker.")
    resends = models.PositiveIntegerField(default=0, db_default=0, help_text="Messages that were lost.")

    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(help_text="When it may next be sent.")
    expires_at = models.DateTimeField(null=True, help_text="When it must have started.")
    deadline_at = models.DateTimeField(null=True, help_text="When rescue looks at it.")
    admitted_at = models.DateTimeField(null=True, help_text="When it got its slot.")
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lateness = models.DurationField(null=True, help_text="From its own time to its first start.")

    worker_id = models.UUIDField(null=True)
    worker_name = models.CharField(max_length=255, default="", db_default="")
    pid = models.PositiveIntegerField(null=True)

    result: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    error = models.TextField(default="", db_default="")
    error_classes = models.JSONField(null=True, help_text="By which names the last failure's exception is known.")
    traceback = models.TextField(default="", db_default="")
    checkpoint: "models.JSONField[Any, Any]" = models.JSONField(
        null=True, help_text="What an attempt has kept for the next one."
    )
    progress = models.FloatField(null=True)
    progress_message = models.CharField(max_length=255, default="", db_default="")

    objects = RunQuerySet.as_manager()

    class Meta:
        permissions = [("operate_run", "Can retry, cancel, pause and resume runs")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state=State.SCHEDULED), name="run_due"),
            models.Index(fields=["deadline_at"], condition=models.Q(state__in=WITH_WORKERS), name="run_deadline"),
            models.Index(fields=["job", "due_at"], condition=~models.Q(note=""), name="run_noted"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(
                    state__in=(State.SCHEDULED, State.WAITING, State.QUEUED, State.HELD), expires_at__isnull=False
                ),
                name="run_expiry",
            ),
            models.Index(fields=["job"], condition=models.Q(state__in=sorted(LIVE)), name="run_live"),
            models.Index(
                fields=["job", "due_at"], condition=models.Q(state=State.WAITING, limited=False), name="run_waiting"
            ),
            models.Index(
                fields=["due_at"], condition=models.Q(state=State.WAITING, limited=False), name="run_waiting_due"
            ),
            models.Index(
                fields=["due_at"], condition=models.Q(state=State.WAITING, limited=True), name="run_limited_due"
            ),
            models.Index(
                fields=["job"], condition=models.Q(state=State.WAITING, upstream="pending"), name="run_pending"
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(unsettled=True, finished_at__isnull=False),
                name="run_unsettled",
            ),
            models.Index(
                fields=["job", "limit_key", "priority", "due_at", "id"],
                condition=models.Q(state=State.WAITING, limited=True),
                name="run_in_turn",
            ),
            models.Index(
                "job",
                Left("reason", 200),
                condition=models.Q(state=State.WAITING, limited=True),
                name="run_waits_for",
            ),
            models.Index(
                fields=["job", "pool", "limit_key"],
                condition=models.Q(state__in=HOLDING, limited=True),
                name="run_holding",
            ),
            models.Index(
                fields=["pool", "started_at"],
                condition=models.Q(pool__isnull=False, started_at__isnull=False),
                name="run_pool_started",
            ),
            models.Index(
                fields=["job", "limit_key", "finished_at"],
                condition=models.Q(limited=True, started_at__isnull=False, finished_at__isnull=False),
                name="run_job_served",
            ),
            models.Index(
                fields=["pool", "limit_key", "finished_at"],
                condition=models.Q(pool__isnull=False, started_at__isnull=False, finished_at__isnull=False)
                & ~models.Q(limit_key=""),
                name="run_key_served",
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(state=State.CANCELLED, limited=True),
                name="run_limited_cancelled",
            ),
            models.Index(
                fields=["job", "finished_at"],
                condition=models.Q(state__in=(State.SUCCEEDED, State.FAILED)),
                name="run_outcome",
            ),
            models.Index(
                fields=["pool", "finished_at"],
                condition=models.Q(state__in=(State.SUCCEEDED, State.FAILED), pool__isnull=False),
                name="run_pool_outcome",
            ),
            models.Index(fields=["canary", "finished_at"], condition=models.Q(canary__isnull=False), name="run_canary"),
            models.Index(fields=["origin"], condition=models.Q(origin__isnull=False), name="run_taken_along"),
            models.Index(fields=["job", "last_scheduled_for"], condition=models.Q(ticks__gt=1), name="run_stretch"),
            models.Index(fields=["backfill", "state"], condition=models.Q(backfill__isnull=False), name="run_backfill"),
            models.Index(
                fields=["job", "scheduled_for"], condition=models.Q(trigger=Trigger.RETRY), name="run_tick_retried"
            ),
            models.Index(fields=["worker_id"], condition=models.Q(state=State.RUNNING), name="run_running"),
            models.Index(fields=["job", "-id"], name="run_of_job"),
            models.Index(fields=["state", "-id"], name="run_in_state"),
            models.Index(
                fields=["trigger", "-id"], condition=~models.Q(trigger=Trigger.SCHEDULE), name="run_asked_for"
            ),
            models.Index(
                fields=["job", "finished_at"], condition=models.Q(state=State.CANCELLED), name="run_cancelled"
            ),
            models.Index(fields=["retry_of"], condition=models.Q(retry_of__isnull=False), name="run_retry_of"),
            models.Index(fields=["finished_at"], condition=models.Q(finished_at__isnull=False), name="run_finished"),
        ]
        constraints = [
            # A tick has one row per shard. What somebody asks for by hand is no tick and may share its moment.
            models.UniqueConstraint(
                fields=["job", "scheduled_for", "shard"],
                condition=~models.Q(trigger__in=(Trigger.MANUAL, Trigger.RETRY)),
                name="run_one_per_tick",
            ),
            models.UniqueConstraint(
                fields=["job", "idempotency_key"],
                condition=models.Q(idempotency_key__isnull=False),
                name="run_one_per_key",
            ),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="run_state_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=WITH_WORKERS, deadline_at__isnull=False)
                | (~models.Q(state__in=WITH_WORKERS) & models.Q(deadline_at__isnull=True)),
                name="run_deadline_while_with_workers",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=sorted(TERMINAL), finished_at__isnull=False)
                | models.Q(state__in=sorted(LIVE), finished_at__isnull=True),
                name="run_finished_when_terminal",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=State.RUNNING)
                | models.Q(worker_id__isnull=False, started_at__isnull=False, pid__isnull=False),
                name="run_running_has_worker",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=(State.SKIPPED, State.MISSED)) | ~models.Q(reason=""),
                name="run_not_run_has_reason",
            ),
            models.CheckConstraint(condition=models.Q(attempt__gte=1), name="run_attempt_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.task} for {self.scheduled_for:%Y-%m-%d %H:%M:%S %Z}"

    @property
    def retrying(self) -> bool:
        """Whether it waits for another attempt."""
        return self.state in (State.SCHEDULED, State.WAITING) and self.attempt > 1
