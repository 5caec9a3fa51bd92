"""The Django application."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import import_string


class JobsConfig(AppConfig):
    """Carillon: jobs and runs."""

    name = "jobs"
    verbose_name = "Carillon"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # By name: these modules need the models, which exist only now.
        import_module("jobs.checks")
        import_module("jobs.housekeeping")
        import_string("jobs.worker.step.connect")()
