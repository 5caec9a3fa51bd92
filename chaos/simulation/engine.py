"""The engine: one queue of events, one source of chance, and processes that are stopped between any two steps."""

import heapq
from collections.abc import Callable, Generator
from random import Random
from typing import Any, Final

Steps = Generator[str | int | None, None, Any]
"""A process. It yields the name of the statement or command that it sends next, or milliseconds to sleep, or None to
sleep until it is woken."""

OUTSIDE: Final = frozenset({"", "lock", "publish", "fetch"})
"""Steps that do not ask the database."""


STATEMENTS: Final = frozenset({"claim", "finish", "mark", "renew", "register", "resend", "news", "orphan"})
"""Steps that are one statement, which the database may execute although its sender is frozen, or dead by then."""


class Cut(Exception):
    """The connection broke; whether the statement was executed, nobody knows."""


ON_ITS_WAY: Final = 0.5


class Engine:
    """The events to come, in order of their time and then of their making. Times are whole milliseconds."""

    def __init__(self, seed: int, *, tracing: bool) -> None:
        self.now = 0
        self.random = Random(seed)
        self.chance = self.random.random
        self.trace: list[str] | None = [] if tracing else None
        self.running = True
        self.steps = 0
        self.armed: dict[str, list[Callable[[Process], bool]]] = {}
        """What strikes at steps of a name; each says whether it is spent."""
        self.database_until = 0
        self.database_hangs = False
        self._queue: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._made = 0

    def at(self, moment: int, callback: Callable[[Any], None], argument: Any = None) -> None:
        """Call back at that moment."""
        self._made += 1
        heapq.heappush(self._queue, (moment, self._made, callback, argument))

    def run(self) -> None:
        """One event after the other until somebody stops it."""
        queue, pop = self._queue, heapq.heappop
        while self.running and queue:
            self.now, _, callback, argument = pop(queue)
            self.steps += 1
            callback(argument)

    def note(self, who: str, what: str) -> None:
        """A line of the trace. Ask for `trace` first where the text costs something."""
        if self.trace is not None:
            self.trace.append(f"{self.now / 1000:9.3f}  {who:<10} {what}")


class Process:
    """Something that runs step by step, can be frozen and woken, and dies at once and for good."""

    __slots__ = (
        "alive",
        "cut",
        "engine",
        "generator",
        "held",
        "life",
        "name",
        "on_death",
        "parked",
        "paused",
        "sent",
        "slow",
    )

    def __init__(self, engine: Engine, name: str, life: Any = None) -> None:
        self.engine = engine
        self.name = name
        self.life = life
        self.alive = True
        self.paused = False
        self.parked = False
        self.cut = False
        self.slow = 0
        self.sent = False
        """Whether its next step is on its way, whatever becomes of it."""
        self.held: str | None = None
        self.on_death: list[Callable[[], None]] = []
        self.generator: Steps

    def start(self, generator: Steps, delay: int = 0) -> None:
        """Begin with these steps."""
        self.generator = generator
        self.engine.at(self.engine.now + delay, self.resume, "")

    def resume(self, step: str) -> None:
        """Do the step that was announced, up to the next."""
        if not self.sent:
            if not self.alive:
                return
            if self.paused:
                self.held = step
                return
        self.sent = False
        engine = self.engine
        if step not in OUTSIDE and engine.now < engine.database_until:
            if engine.database_hangs:
                engine.at(engine.database_until, self.resume, step)
                return
            self.cut = True
        try:
            if self.cut:
                self.cut = False
                engine.note(self.name, f"{step}: the connection breaks")
                wanted = self.generator.throw(Cut())
            else:
                if step and engine.trace is not None:
                    engine.note(self.name, step)
                wanted = next(self.generator)
        except StopIteration:
            self.alive = False
            return
        if self.alive:
            self._await(wanted)

    def _await(self, wanted: str | int | None) -> None:
        engine = self.engine
        if wanted is None:
            self.parked = True
        elif isinstance(wanted, int):
            engine.at(engine.now + wanted, self.resume, "")
        else:
            draw = engine.chance()
            self.sent = wanted in STATEMENTS and draw < ON_ITS_WAY
            if wanted in engine.armed:
                self._strike(wanted)
            latency = 1 + int(draw * draw * draw * 40) + self.slow
            engine.at(engine.now + latency, self.resume, wanted)
            self.slow = 0

    def _strike(self, step: str) -> None:
        waiting = self.engine.armed[step]
        waiting[:] = [strike for strike in waiting if not strike(self)]
        if not waiting:
            del self.engine.armed[step]

    def wake(self) -> None:
        """Go on, if it waits to be woken."""
        if self.parked and self.alive:
            self.parked = False
            self.engine.at(self.engine.now + 1, self.resume, "")

    def pause(self) -> None:
        """Freeze it: nothing happens in it until it is thawed; its clock goes on."""
        self.paused = True

    def thaw(self, delay: int) -> None:
        """Let it go on where it was."""
        self.paused = False
        if self.held is not None and self.alive:
            step, self.held = self.held, None
            self.engine.at(self.engine.now + delay, self.resume, step)

    def die(self) -> None:
        """End it between two steps."""
        if self.alive:
            self.alive = False
            for ended in self.on_death:
                ended()
