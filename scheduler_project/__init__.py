"""The project around Carillon: settings, Celery application, URLs and the embedded default."""

from scheduler_project.celery import app as celery_app

__all__ = ["celery_app"]
