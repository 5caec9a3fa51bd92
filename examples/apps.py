"""The Django application of the examples."""

from django.apps import AppConfig


class ExamplesConfig(AppConfig):
    """Example jobs."""

    name = "examples"
    default_auto_field = "django.db.models.BigAutoField"
