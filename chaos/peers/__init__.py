"""Side by side: Carillon, Celery beat with django-celery-beat, and celery-redbeat under the same faults."""
