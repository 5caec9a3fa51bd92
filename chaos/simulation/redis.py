"""The simulated Redis: the leader's lock, and a queue that loses, doubles, delays and reorders as it is told to."""

from collections.abc import Iterable

from chaos.simulation.engine import Cut, Engine, Process
from chaos.simulation.pace import LOCK_TTL

Ticket = tuple[int, int]
"""A run's number and an attempt."""


class Redis:
    """Nothing in it is needed for being right."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.queue: list[Ticket] = []
        self.away_until = 0
        self.wiped_at = -1
        self.holder: Process | None = None
        self.held_until = 0
        self.sent = 0
        self.luck: dict[int, list[tuple[str, int]]] = {}
        """What happens to which message, by its ordinal number."""
        self.idle: list[Process] = []

    def reach(self) -> None:
        """Raise Cut while it is away."""
        if self.engine.now < self.away_until:
            raise Cut

    def lock(self, beat: Process) -> bool:
        """SET NX PX, or its renewal."""
        self.reach()
        if self.holder is beat or self.holder is None or self.held_until <= self.engine.now:
            self.holder = beat
            self.held_until = self.engine.now + LOCK_TTL
        return self.holder is beat

    def flush(self) -> None:
        """FLUSHALL."""
        self.queue.clear()
        self.holder = None
        self.wiped_at = self.engine.now

    def publish(self, ticket: Ticket) -> None:
        """LPUSH, with the message's luck."""
        self.reach()
        arrivals = {0}
        for kind, much in self.luck.get(self.sent, ()):
            if kind == "double":
                arrivals |= {1, much // 4, much}
            else:
                arrivals = {much} if kind == "delay" else set()
        self.sent += 1
        for delay in sorted(arrivals):
            if delay:
                self.engine.at(self.engine.now + delay, self._arrive, ticket)
            else:
                self._arrive(ticket)

    def _arrive(self, ticket: Ticket) -> None:
        self.queue.append(ticket)
        self.rouse()

    def rouse(self, _: object = None) -> None:
        """Let idle processes look for messages."""
        idle, self.idle = self.idle, []
        for process in idle:
            process.wake()

    def depth(self) -> int:
        """LLEN."""
        self.reach()
        return len(self.queue)

    def pop(self) -> Ticket | None:
        """BRPOP, acknowledged at once."""
        self.reach()
        return self.queue.pop(0) if self.queue else None

    def reorder(self, order: Iterable[int]) -> None:
        """Put what waits into another order."""
        ranks = iter(order)
        self.queue.sort(key=lambda _: next(ranks))
