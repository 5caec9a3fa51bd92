"""The faults of a seed: all are drawn before it begins, so that any of them can be left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

BEATS: Final = ("beat1", "beat2")
WORKERS: Final = ("worker1", "worker2", "worker3")
STEPS: Final = (
    *("lock", "now", "tick.lock", "tick.decide", "tick.write", "tick.commit", "tick.answer", "dispatch", "publish"),
    *("mark", "mark.answer", "admit.lock", "admit.look", "admit.commit", "admit.answer", "settle.lock"),
    *("settle.commit", "rescue", "bury.lock", "bury.look", "bury.lose", "bury.commit", "bury.answer", "orphan"),
    *("depth", "resend", "register", "register.answer", "renew", "renew.answer", "compare", "news"),
    *("fetch", "claim", "claim.answer", "finish", "finish.answer"),
)
COMMON: Final = ("publish", "mark", "tick.commit", "claim", "claim.answer", "finish", "finish", "renew", "fetch")
SENT: Final = ("claim", "finish", "finish", "mark", "renew", "register", "resend", "news")
AT_STEPS: Final = frozenset({"die", "cut", "slow", "stall", "late", "loser"})
MOST: Final = 14
SOON: Final = 6_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. `at` is a time in milliseconds, or which message, or which time the step is reached."""

    kind: str
    at: int
    target: str = ""
    much: int = 0
    """Milliseconds it lasts, or after which the process is back."""

    def __str__(self) -> str:
        lasting = f" for {self.much / 1000:g} s" if self.much else ""
        if self.kind in AT_STEPS:
            return f"{self.kind} when {self.target} comes for the {self.at}. time{lasting}"
        if self.kind in ("drop", "double", "delay"):
            return f"{self.kind} message {self.at}{lasting}"
        return f"{self.kind} {self.target or 'it'} at {self.at / 1000:.3f} s{lasting}"


def draw(random: Random, times: Sequence[int], until: int) -> tuple[Fault, ...]:
    """None to fourteen faults, more of them soon after `times`, the ticks of some job, than would be by chance."""
    if random.random() < 0.1:
        return tuple(Fault("rewind", random.randrange(until)) for _ in range(MOST))
    return tuple(_draw(random, times, until) for _ in range(random.randrange(MOST + 1)))


def _draw(random: Random, times: Sequence[int], until: int) -> Fault:
    draw, moment = random.random(), random.randrange(until)
    if times and random.random() < 0.6:
        moment = random.choice(times) + random.randrange(SOON)
    length = random.choice((1_000, 4_000, 9_000, 18_000, 25_000, 40_000)) + random.randrange(1_000)
    if draw < 0.04:
        return Fault("beats", moment, "", length + 25_000)
    if draw < 0.34:
        kind = random.choice(("die", "die", "cut", "slow", "stall", "stall", "late", "loser"))
        step = random.choice(COMMON if random.random() < 0.6 else STEPS)
        step = {"late": random.choice(SENT), "loser": "claim"}.get(kind, step)
        return Fault(kind, random.choice((1, 1, 2, 3, 5, 8, 13)), step, 0 if kind == "cut" else length)
    if draw < 0.58:
        kind = random.choice(("drop", "double", "double", "delay"))
        return Fault(kind, random.randrange(25), "", 0 if kind == "drop" else length)
    if draw < 0.7:
        return Fault("kill", moment, random.choice(BEATS + WORKERS), length)
    if draw < 0.88:
        kind = random.choice(("freeze", "freeze-child", "freeze-parent", "freeze-parent", "orphan"))
        return Fault(kind, moment, random.choice(BEATS + WORKERS if kind == "freeze" else WORKERS), length)
    kind = random.choice(("flush", "redis", "database", "hang", "cancel", "shuffle"))
    return Fault(kind, moment, "", length if kind in ("redis", "database", "hang") else 0)
