"""Prune: remove finished runs that are older than their job keeps them."""

from datetime import datetime, timedelta

from jobs.models import Job, Run


def prune(now: datetime, batch: int = 5_000) -> int:
    """Remove what is out of date, in batches of their own transactions; how many runs that was."""
    return sum(
        _prune_kept_for(days, now, batch) for days in Job.objects.order_by().values_list("keep", flat=True).distinct()
    )


def _prune_kept_for(days: int, now: datetime, batch: int) -> int:
    old = Run.objects.filter(finished_at__lt=now - timedelta(days=days), job__keep=days).order_by("finished_at")
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:batch]):
        Run.objects.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed
