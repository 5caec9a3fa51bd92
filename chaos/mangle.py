"""What happens to messages on their way to the broker, in the beat that is told so by `CHAOS_MANGLE`."""

import random
from collections.abc import Sequence

from celery.signals import beat_init

from jobs.broker import Broker
from jobs.dispatch import Message


def connect(how: str) -> None:
    """Mangle what this process's beat publishes."""
    beat_init.connect(lambda **_: _wrap(how), weak=False)


def _wrap(how: str) -> None:
    publish, chance, sent = Broker.publish, random.Random(7), list[Message]()

    def mangled(self: Broker, messages: Sequence[Message]) -> None:
        publish(self, _mangled(how, list(messages), sent, chance))
        sent.extend(messages)

    Broker.publish = mangled  # type: ignore[method-assign]


def _mangled(how: str, messages: list[Message], sent: Sequence[Message], chance: random.Random) -> list[Message]:
    match how:
        case "double":
            return [message for message in messages for _ in range(chance.randint(1, 5))]
        case "shuffle":
            return chance.sample(messages, len(messages))
        case "drop":
            return [message for message in messages if chance.random() >= 0.3]
        case "stale":
            return messages + (chance.sample(sent, min(3, len(sent))) if sent else [])
        case _:
            raise ValueError(f"CHAOS_MANGLE: {how!r} is not known")
