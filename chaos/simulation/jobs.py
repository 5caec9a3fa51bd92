"""The jobs of a seed: their schedules, their policies, and when they are due by an independent reckoning."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Final

from chaos.expectation import Window, ticks
from jobs.models.choices import Missed, Overlap, RetryPolicy
from jobs.policies.breaker import BreakerRules
from jobs.policies.missed import MissedRules
from jobs.policies.overlap import OverlapRules
from jobs.policies.retry import RetryRules
from jobs.schedules import Schedule, parse

LONGEST: Final = 150_000
"""Milliseconds for which jobs are due at most."""
BERLIN: Final = "Europe/Berlin"
SECONDS: Final = ("*/20 * * * * *", "*/10 * * * * *", "* * * * *", "5-45/10 * * * * *", "*/15 * * * * *")
FIXED: Final = ("* * * * *", "0 2 * * *", "30 2 * * *", "0 3 * * *", "0-59/2 * * * *")
BEGINNINGS: Final = (
    (datetime(2027, 3, 1, 11, 59, 50, tzinfo=UTC), "UTC", SECONDS),
    (datetime(2027, 3, 31, 23, 58, 55, tzinfo=UTC), BERLIN, SECONDS),
    (datetime(2027, 3, 1, 23, 59, 30, tzinfo=UTC), "Asia/Kathmandu", SECONDS),
    (datetime(2027, 3, 28, 0, 59, 20, tzinfo=UTC), BERLIN, FIXED),
    (datetime(2027, 10, 31, 0, 59, 20, tzinfo=UTC), BERLIN, FIXED),
)


@dataclass(frozen=True, slots=True)
class Luck:
    """How a job's task behaves: milliseconds it takes at most, and how often it fails, crashes, or hangs."""

    longest: int
    fails: float
    crashes: float
    hangs: float


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job that does not change while a seed runs."""

    name: str
    text: str
    schedule: Schedule
    times: tuple[int, ...]
    """When it is due, by cronsim."""
    until: int
    overlap: OverlapRules
    missed: MissedRules
    retry: RetryRules
    breaker: BreakerRules
    expires: int | None
    limited: bool
    luck: Luck

    def describe(self) -> str:
        """The job in a line."""
        limited = ", limited" if self.limited else ""
        retry = f"{self.retry.kind} ({self.retry.max_retries})"
        return f"{self.text}, overlap {self.overlap.kind}, missed {self.missed.kind}, retry {retry}{limited}"


@lru_cache(maxsize=64)
def _due(text: str, timezone: str, beginning: datetime) -> tuple[int, ...]:
    until = beginning + timedelta(milliseconds=LONGEST)
    window = Window(text, timezone, beginning, until)
    return tuple((tick - beginning) // timedelta(milliseconds=1) for tick in ticks(window))


@lru_cache(maxsize=64)
def _schedule(text: str, timezone: str) -> Schedule:
    return parse(text, timezone, key="simulated", gap="after", repeated="first", calendar=None)


def draw(random: Random, horizon: int | None) -> tuple[datetime, int, list[JobSpec]]:
    """The beginning, the milliseconds for which jobs are due, and the jobs."""
    beginning, timezone, texts = random.choice(BEGINNINGS)
    until = random.randrange(60_000, LONGEST)
    jobs = random.choice((1, 2, 3, 3))
    specs = [_draw(f"job{number}", random, beginning, timezone, texts, horizon or until) for number in range(jobs)]
    return beginning, horizon or until, specs


def _draw(name: str, random: Random, beginning: datetime, timezone: str, texts: tuple[str, ...], until: int) -> JobSpec:
    text = random.choice(texts)
    due = _due(text, timezone, beginning)
    choice, chance = random.choice, random.random
    return JobSpec(
        name=name,
        text=text,
        schedule=_schedule(text, timezone),
        times=due[: bisect_right(due, until)],
        until=until,
        overlap=OverlapRules(choice(Overlap.values), choice((1, 2, 3))),
        missed=MissedRules(choice(Missed.values), timedelta(seconds=choice((5, 20, 60))), choice((1, 2, 100))),
        retry=RetryRules(choice(RetryPolicy.values), choice((1, 2, 3)), choice((0.5, 3.0)), 8.0, chance() < 0.5),
        breaker=BreakerRules(choice((None, None, 2)), None, 10, frozenset(), timedelta(seconds=20)),
        expires=choice((None, None, 15_000, 60_000)),
        limited=chance() < 0.3,
        luck=Luck(
            choice((300, 8_000, 24_000)), choice((0.0, 0.3, 0.7)), choice((0.0, 0.0, 0.2)), choice((0.0, 0.0, 0.1))
        ),
    )
