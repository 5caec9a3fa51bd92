"""Clear the sessions that have expired."""

from importlib import import_module
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db.models import Model

from examples.arguments import whole_number
from jobs.clock import database_now
from jobs.current import current_run


@shared_task(name="examples.clear_expired_sessions")
def clear_expired_sessions(batch: int = 5_000) -> dict[str, int | None]:
    """Remove the sessions that have expired, `batch` rows at a time; how many there were.

    For a session engine without a table it does what the engine's own clean-up does, and counts nothing.
    """
    whole_number("batch", batch, 1, 1_000_000)
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):
        store.clear_expired()
        return {"removed": None}
    return {"removed": _clear(store.get_model_class(), batch)}


def _clear(sessions: type[Model], batch: int) -> int:
    """Short transactions, so that nobody who logs in meanwhile has to wait."""
    expired = sessions._default_manager.filter(expire_date__lt=database_now())
    total = expired.count()
    removed = 0
    while not current_run().cancelled and (keys := list(expired.values_list("pk", flat=True)[:batch])):
        removed += expired.filter(pk__in=keys).delete()[0]
        current_run().progress(min(1.0, removed / max(total, 1)), f"{removed} sessions removed")
    return removed
