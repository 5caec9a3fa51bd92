"""Carillon's own settings: `settings.CARILLON`, a dict with the names below in capitals."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from django.conf import settings

from jobs.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Conf:
    """What an operator may set. Times are in seconds.

    The defaults keep the promised times to recover; a longer lease or lock lengthens them accordingly.
    """

    lock_key: str = "carillon:leader"
    """The Redis key of the leader's lock; Celery's `global_keyprefix` comes before it."""
    lock_url: str = ""
    """The Redis of the lock, where it is not the broker, or the broker's address is not a plain Redis one."""
    lock_ttl: float = 2.0
    """How long a leader that has died still blocks the standby."""
    lock_margin: float = 0.5
    """How long before the lock's end a leader that could not renew it stops acting as one."""
    poll: float = 0.4
    """The longest a beat sleeps, and so the longest an edit or a trigger waits."""
    batch: int = 500
    """Jobs or runs handled in one transaction."""
    burst: int = 100
    """Runs one job may get from a single tick; what is left comes with the next."""
    lease: float = 15.0
    """How long a worker that has died still keeps its runs."""
    heartbeat: float = 5.0
    """How often a worker renews its lease."""
    lease_margin: float = 3.0
    """How long before its lease's end a worker that could not renew it kills what it runs."""
    message_timeout: float = 30.0
    """How long a run may be queued before its message is looked for."""
    kill_grace: float = 10.0
    """The time between a run's timeout (soft) and the kill (hard)."""
    deadline_margin: float = 30.0
    """The time after the hard limit at which rescue takes a run whose worker did not enforce it."""
    max_losses: int = 3
    """How many workers a run may take down before it is set aside as poison."""
    backfill_limit: int = 10_000
    """How many runs a backfill may have, unless whoever starts it says that so many are meant."""
    max_unknown: int = 8
    """How often a run may meet a worker that does not know its task."""
    result_limit: int = 16_384
    """Characters of a result or an error kept in a run's row."""
    flower_url: str = ""
    """Flower's address, for the links in the admin."""
    beat_dir: str = ""
    """The folder in which each beat of this machine notes its health; by default one in the temporary folder."""


def conf() -> Conf:
    """The settings in force; ConfigurationError names the one that is wrong."""
    # With their types, because to a cache True is 1, and what is wrong would be found to be right.
    items = tuple((name, type(value), value) for name, value in getattr(settings, "CARILLON", {}).items())
    try:
        return _built(items)
    except TypeError:  # A value without a hash, such as a list; it is wrong, and the error shall name it.
        return _build(items)


def _build(items: tuple[tuple[str, type, Any], ...]) -> Conf:
    known = {field.name.upper(): field for field in fields(Conf)}
    values: dict[str, Any] = {}
    for name, _, value in items:
        if name not in known:
            raise ConfigurationError(f"CARILLON[{name!r}] is not a setting; there are {', '.join(sorted(known))}")
        values[name.lower()] = _checked(name, value, type(known[name].default))
    return _consistent(Conf(**values))


_built = lru_cache(maxsize=8)(_build)


def _checked(name: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigurationError(f"CARILLON[{name!r}] is {value!r}; it must be of type {kind.__name__}")
    if isinstance(value, (int, float)) and not 0 < value < math.inf:
        raise ConfigurationError(f"CARILLON[{name!r}] is {value!r}; it must be above zero and finite")
    return value


def _consistent(built: Conf) -> Conf:
    if built.lock_margin + built.poll >= built.lock_ttl:
        raise ConfigurationError("CARILLON: LOCK_MARGIN + POLL must be below LOCK_TTL")
    if built.lease_margin + built.heartbeat >= built.lease:
        raise ConfigurationError("CARILLON: LEASE_MARGIN + HEARTBEAT must be below LEASE")
    return built
