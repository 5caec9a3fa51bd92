"""System checks: what in a project's settings breaks a promise. Those that ask a server run with `--database`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from celery import Celery, current_app
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import Error as DatabaseError
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from jobs.beat import Scheduler
from jobs.clock import database_now
from jobs.conf import conf
from jobs.exceptions import ConfigurationError
from jobs.tasks import JobTask

KILLING_POOLS = {"prefork", "processes"}
MOST_SKEW = 2.0
"""Seconds by which this machine's clock may differ from the database's before it is worth a word."""


@register()
def check_settings(**_: Any) -> list[CheckMessage]:
    """Django's settings and Carillon's own."""
    found: list[CheckMessage] = []
    try:
        conf()
    except ConfigurationError as error:
        found.append(Error(str(error), id="carillon.E001"))
    if not settings.USE_TZ:
        found.append(Error("USE_TZ is off", hint="Fire times are moments; set USE_TZ = True.", id="carillon.E002"))
    return found


@register()
def check_celery(**_: Any) -> list[CheckMessage]:
    """Celery's settings and the classes of the project's tasks."""
    app: Celery = current_app
    return [Caution(text, hint=hint, id=f"carillon.{number}") for number, text, hint in _celery_faults(app)]


def _celery_faults(app: Celery) -> Iterator[tuple[str, str, str]]:
    strangers = sorted(name for name, task in app.tasks.items() if _is_stranger(name, task))
    if strangers:
        yield (
            "W001",
            f"not built on Carillon's task class, so their runs cannot be recorded: {', '.join(strangers)}",
            'Make the application with Celery(task_cls="jobs.tasks:JobTask"); a base= of yours must derive from it.',
        )
    yield from _setting_faults(app.conf)


def _is_stranger(name: str, task: Any) -> bool:
    return not name.startswith("celery.") and not isinstance(task, JobTask)


def _setting_faults(conf: Any) -> Iterator[tuple[str, str, str]]:
    transport = conf.broker_transport_options or {}
    if conf.task_acks_late:
        yield "W002", *_acks_late(int(transport.get("visibility_timeout", 3600)))
    if not conf.get("db_reuse_max") and not getattr(settings, "CELERY_DB_REUSE_MAX", None):
        yield "W003", "CELERY_DB_REUSE_MAX is not set", "Each task opens two database connections; set it to 1000."
    if set(conf.accept_content or ()) - {"json", "application/json"}:
        hint = "Whoever can write to Redis could run code; keep accept_content to json."
        yield "W004", f"the workers accept {', '.join(conf.accept_content)}", hint
    if not conf.worker_disable_prefetch:
        hint = "A long task holds others back that are reserved behind it; set CELERY_WORKER_DISABLE_PREFETCH = True."
        yield "W005", "worker_disable_prefetch is off", hint
    if conf.worker_pool not in KILLING_POOLS:
        hint = "Without processes a run that lost its lease goes on, and attempts may overlap; use prefork."
        yield "W006", f"the worker's pool {conf.worker_pool!r} cannot kill", hint
    if conf.beat_scheduler not in ("jobs.beat:Scheduler", "jobs.beat.Scheduler", Scheduler):
        hint = 'No job will ever be due; set CELERY_BEAT_SCHEDULER = "jobs.beat:Scheduler".'
        yield "W007", f"beat's scheduler is {conf.beat_scheduler}", hint
    if "socket_timeout" not in transport:
        hint = (
            "A frozen Redis blocks whoever publishes for ever; set CELERY_BROKER_TRANSPORT_OPTIONS['socket_timeout']."
        )
        yield "W008", "the broker's connections have no time limit", hint
    if not conf.worker_direct:
        hint = "A job that is to run on each worker finds none; set CELERY_WORKER_DIRECT = True."
        yield "W009", "worker_direct is off", hint


def _acks_late(visibility_timeout: int) -> tuple[str, str]:
    text = f"task_acks_late is on, with a visibility timeout of {visibility_timeout} s"
    hint = (
        "Redis delivers a late-acknowledged task again after a dropped connection, and at each visibility timeout. "
        "Carillon drops the duplicates but needs no late acknowledgement; switch it off, or keep the visibility "
        "timeout above twice the longest timeout of a job."
    )
    return text, hint


@register(Tags.database)
def check_servers(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """PostgreSQL and Redis themselves."""
    if not databases:
        return []
    return [*_database_faults(), *_redis_faults()]


def _database_faults() -> Iterator[CheckMessage]:
    if connection.vendor != "postgresql":
        yield Error("Carillon needs PostgreSQL", id="carillon.E003")
        return
    try:
        skew = abs((datetime.now(UTC) - database_now()).total_seconds())  # noqa: TID251 - to compare the two
    except DatabaseError:
        return  # Django's own checks tell of a database that is away
    if skew > MOST_SKEW:
        hint = "Nothing depends on it, but times in logs will not match the ledger."
        yield Caution(f"this machine's clock and the database's are {skew:.1f} s apart", hint=hint, id="carillon.W021")


def _redis_faults() -> Iterator[CheckMessage]:
    try:
        client = Redis.from_url(current_app.conf.broker_url, socket_timeout=2, socket_connect_timeout=2)
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "")
    except (RedisError, ValueError) as error:
        yield Caution(f"Redis could not be asked: {error}", id="carillon.W022")
        return
    if policy and policy != "noeviction":
        hint = "Redis may drop queues when it is full; runs are sent again, later. Set maxmemory-policy noeviction."
        yield Caution(f"Redis's maxmemory-policy is {policy}", hint=hint, id="carillon.W023")
