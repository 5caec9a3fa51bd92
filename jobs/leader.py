"""The leader's lock: which beat does the work, so that the others need not.

It is an optimisation. Row locks and the ledger's unique key keep any number of beats right, so the protocol may
fail in every way without harm; it has to be quick, not perfect.

1. A beat takes the lock in Redis (redis-py's Lock: SET NX PX with a random token) for LOCK_TTL seconds, and renews
   it at every round, that is at least every POLL seconds.
2. It trusts the lock for LOCK_TTL - LOCK_MARGIN seconds from before it asked, on its own monotonic clock, whatever
   Redis says later. Before each batch it looks at that again; in doubt it steps down.
3. A leader that dies is replaced when its lock ends; one that stops politely releases it.
4. A leader that cannot do its work (the database is away for it) releases the lock, so that another may try.
5. Redis away: nobody can know who leads, so every beat works alone. Ticks go on being recorded.

Process pauses can make two leaders for a moment (Kleppmann, "How to do distributed locking", 2016); see the first
paragraph. The token is no fencing token and is not used as one.
"""

import logging
import time
import uuid
from enum import Enum

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import LockError, RedisError
from redis.lock import Lock
from redis.retry import Retry

from jobs.conf import conf

logger = logging.getLogger(__name__)

TIMEOUT = 1.0
"""Seconds that one question to Redis may take."""


class Role(Enum):
    """What a beat is at the moment."""

    LEADER = "leader"
    STANDBY = "standby"
    ALONE = "alone"
    """Redis is away: it works as if it were the leader, without a lock."""


class Leadership:
    """A beat's part in the protocol above. Nothing is asked of Redis before `role()` is called."""

    def __init__(self, redis_url: str, key_prefix: str = "") -> None:
        self._url = redis_url
        self._key_prefix = key_prefix
        self._token = uuid.uuid4().hex
        self._lock: Lock | None = None
        self._held = False
        self._trusted_until = 0.0
        self._reachable = True

    def role(self) -> Role:
        """Take or renew the lock if it can be had, and say what that makes of this beat."""
        asked_at = time.monotonic()
        try:
            self._held = self._renewed() if self._held else self._taken()
        except (RedisError, OSError) as error:
            return self._alone(error)
        if not self._reachable:
            self._reachable = True
            logger.warning("Redis is back")
        if not self._held:
            return Role.STANDBY
        self._trusted_until = asked_at + conf().lock_ttl - conf().lock_margin
        return Role.LEADER

    def trusted(self) -> bool:
        """Whether this beat may go on with what it does: it holds the lock for sure, or Redis is away."""
        return not self._reachable or (self._held and time.monotonic() < self._trusted_until)

    def release(self) -> None:
        """Let the standby take over at once. Harmless when the lock is not held."""
        held, self._held = self._held, False
        self._trusted_until = 0.0
        if held and self._lock is not None:
            try:
                self._lock.release()
            except (LockError, RedisError, OSError) as error:
                logger.info("the lock was not there to be released: %s", error)

    def _taken(self) -> bool:
        lock = self._open()
        if lock.acquire(blocking=False, token=self._token):
            return True
        # A SET whose answer was lost has worked all the same; then the lock holds our token. It has run for a while,
        # so it is renewed: trust is counted from now.
        if lock.redis.get(lock.name) != self._token.encode():
            return False
        lock.local.token = self._token.encode()
        try:
            return bool(lock.reacquire())
        except LockError:
            return False  # it has ended in between

    def _renewed(self) -> bool:
        try:
            return bool(self._open().reacquire())
        except LockError:
            logger.warning("the leader's lock was lost")
            return self._taken()

    def _alone(self, error: Exception) -> Role:
        self._held = False
        if self._reachable:
            self._reachable = False
            logger.warning("Redis is away; ticks are recorded without the lock: %s", error)
        return Role.ALONE

    def _open(self) -> Lock:
        if self._lock is None:
            client = Redis.from_url(
                self._url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
            )
            self._lock = Lock(client, self._key_prefix + conf().lock_key, timeout=conf().lock_ttl, thread_local=False)
        return self._lock
