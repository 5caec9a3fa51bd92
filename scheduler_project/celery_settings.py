"""Celery's settings, each with its reason. They are what Carillon's promises rest on: `manage.py check` warns
when a project changes one that matters."""

CELERY_BEAT_SCHEDULER = "jobs.beat:Scheduler"

# The run's row is the truth and a message a hint. A late acknowledgement would run a task again 16 ms after a
# dropped connection, and once more at every visibility timeout.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_RETRY_ON_WORKER_LOST = False

# A worker takes a message only when a process is free, so a long task never holds others back behind it.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True

# Each worker serves a queue of its own as well, by which a job can run once on every worker.
CELERY_WORKER_DIRECT = True

# JSON only: whoever can write to Redis must not be able to run code through pickle.
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"

# Results stay in the run's row; a result backend would only be a second, weaker place that can fail a success.
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # so that beat needs no entry to clean results up

# Events are what Flower shows.
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_TASK_SEND_SENT_EVENT = False

# kombu has no time limits by default, so a frozen Redis would block a publisher for ever. No retries below
# Celery: a transport that retries by itself turns batches of messages into single ones.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

# Celery closes the database connection before and after every task unless told to keep it (276 against 798
# tasks/s). The task class checks the kept one before it is used.
CELERY_DB_REUSE_MAX = 1000

# A pool process that is slow to import the project is not a dead one.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 30

CELERY_WORKER_HIJACK_ROOT_LOGGER = True
CELERY_TIMEZONE = "UTC"
