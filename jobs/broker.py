"""What Carillon asks of Celery's broker: to take messages, and how many wait in a queue."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import BatchPublishError, ChannelError, OperationalError  # type: ignore[attr-defined]
from redis.exceptions import RedisError

from jobs.dispatch import Message
from jobs.exceptions import BrokerUnavailable

logger = logging.getLogger(__name__)

ATTEMPT: Final = "carillon_attempt"
"""The header with the attempt's number; the run's id is the task id."""
WORKER: Final = "carillon_worker"
WORKER_NAME: Final = "carillon_worker_name"
"""Set by the worker's parent on what it hands to a pool process, never in a message."""

UNREACHABLE: Final = (OperationalError, BatchPublishError, RedisError, OSError)

TIMEOUTS: Final = {"socket_timeout": 2, "socket_connect_timeout": 1}
"""Seconds. The beat has ticks to record and must not hang on a frozen Redis."""


class Broker:
    """A connection to the broker for the beat: it answers or raises BrokerUnavailable within a few seconds.

    Celery's own producers would repeat a failed publish; here the next dispatch does that.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Any = None

    def publish(self, messages: Sequence[Message]) -> None:
        """Send all the messages in as few round trips as the transport allows."""
        with self._reaching() as producer, producer.batch(max_size=max(1, len(messages))):
            for message in messages:
                self._send(producer, message)

    def depths(self, queues: Collection[str]) -> Mapping[str, int]:
        """How many messages wait in each queue, over all priorities."""
        with self._reaching() as producer:
            return {queue: self._depth(producer, queue) for queue in queues}

    def kill(self, run_ids: Sequence[UUID]) -> None:
        """Ask all workers to kill the processes that execute these runs."""
        with self._reaching() as producer:
            self._app.control.revoke(
                [str(run_id) for run_id in run_ids],
                terminate=True,
                signal="SIGKILL",
                connection=producer.connection,
            )

    def purge(self, queues: Collection[str]) -> None:
        """Throw away what waits in these queues."""
        with self._reaching() as producer:
            for queue in queues:
                producer.channel.queue_purge(queue)

    @staticmethod
    def _depth(producer: Any, queue: str) -> int:
        try:
            return int(producer.channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            return 0  # A queue that nobody has declared yet holds nothing.

    def close(self) -> None:
        """Let go of the connection; the next use opens a new one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.release()

    @contextmanager
    def _reaching(self) -> Iterator[Any]:
        try:
            yield self._open()
        except UNREACHABLE as error:
            self._drop()
            raise BrokerUnavailable(str(error) or type(error).__name__) from error

    def _open(self) -> Any:
        if self._producer is None:
            options = {**self._app.conf.broker_transport_options, **TIMEOUTS, "max_retries": 0}
            self._connection = self._app.connection_for_write(transport_options=options)
            self._connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            self._producer = Producer(self._connection, auto_declare=False)
        return self._producer

    def _drop(self) -> None:
        try:
            self.close()
        except Exception as error:  # noqa: BLE001 - see below
            # A connection that is broken may also fail to close; it is forgotten either way.
            logger.debug("closing a broken connection to the broker: %s", error)

    def _send(self, producer: Any, message: Message) -> None:
        run_id = str(message.ticket.run_id)
        task_message = self._app.amqp.as_task_v2(
            run_id,
            message.task,
            argsrepr="()",
            kwargsrepr="{}",
            retries=message.ticket.attempt - 1,
            time_limit=int(message.hard_limit),
            soft_time_limit=message.soft_limit,
            ignore_result=True,
            origin="carillon",
        )
        headers: dict[str, Any] = {ATTEMPT: message.ticket.attempt}
        self._app.amqp.send_task_message(
            producer,
            message.task,
            task_message,
            queue=message.queue,
            priority=message.priority,
            headers=headers,
            serializer="json",
            retry=False,
        )
