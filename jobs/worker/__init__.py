"""What Carillon adds to a Celery worker: a lease with a heartbeat, a watchdog, and what only the parent sees."""
