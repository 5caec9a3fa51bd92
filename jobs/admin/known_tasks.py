"""Which tasks a job can be made of: those registered here, and those that the live workers know."""

import logging
from functools import lru_cache

from celery import current_app

from jobs.models import Worker

logger = logging.getLogger(__name__)


def known_tasks() -> list[str]:
    """The names, sorted; Celery's own are left out."""
    _import_tasks()
    names = set(current_app.tasks)
    for of_worker in Worker.objects.values_list("tasks", flat=True):
        names.update(str(name) for name in of_worker)
    return sorted(name for name in names if not name.startswith("celery."))


def _import_tasks() -> None:
    """Import the project's task modules, as a worker does when it starts.

    A module that cannot be imported is the workers' problem; the form still has what they know.
    """
    try:
        _import_once()
    except Exception:
        logger.exception("a task module cannot be imported")


@lru_cache(maxsize=1)
def _import_once() -> None:
    current_app.loader.import_default_modules()
