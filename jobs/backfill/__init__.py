"""Backfill: ticks of the past are made into runs, little by little, behind the live ones."""

from jobs.backfill.dry_run import Preview, preview
from jobs.backfill.request import Asked, start
from jobs.backfill.steer import Progress, cancel, pause, progress, resume
from jobs.backfill.step import BackfillResult, advance

__all__ = [
    "Asked",
    "BackfillResult",
    "Preview",
    "Progress",
    "advance",
    "cancel",
    "pause",
    "preview",
    "progress",
    "resume",
    "start",
]
