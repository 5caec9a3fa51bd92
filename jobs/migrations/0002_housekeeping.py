"""Carillon's housekeeping as a PeriodicTask, which an operator can see, move and switch off."""

from django.db import migrations


def create(apps, schema_editor):
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="Carillon: prune finished runs",
        defaults={
            "task": "jobs.prune",
            "interval": interval,
            "description": "Removes finished runs that are older than their job keeps them.",
        },
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name="Carillon: prune finished runs").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(create, remove)]
