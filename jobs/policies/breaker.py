"""The circuit breaker: when it opens, from when on a probe may go, and what follows from the probe."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens: after so many `failures` in a row, or so many `percent` of the last `window` runs. It opens
    never when neither is given. `exceptions` are the names of those that count; none means that every failure does.
    """

    failures: int | None
    percent: int | None
    window: int
    exceptions: frozenset[str]
    pause: timedelta

    @property
    def on(self) -> bool:
        """Whether it can open at all."""
        return bool(self.failures or self.percent)

    @property
    def reach(self) -> int:
        """How many of the last runs decide."""
        return max(self.failures or 0, max(1, self.window) if self.percent else 0)


class Ended(Enum):
    """How a run has ended, as a breaker sees it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SAYS_NOTHING = "says nothing"
    """It was cancelled, skipped or missed, or failed with an exception that does not count."""


def why_open(rules: BreakerRules, failed: Sequence[bool]) -> str:
    """Why the breaker opens, or an empty text. `failed` tells of each run that counts, the last one first."""
    row = next((place for place, one in enumerate(failed) if not one), len(failed))
    if rules.failures and row >= rules.failures:
        return f"{rules.failures:,} {_failures(rules, rules.failures)} in a row"
    window = max(1, rules.window)
    count = sum(failed[:window])
    if rules.percent and len(failed) >= window and count * 100 >= rules.percent * window:
        return f"{count:,} {_failures(rules, count)} in the last {window:,} runs ({count * 100 / window:.3g} %)"
    return ""


def _failures(rules: BreakerRules, count: int) -> str:
    noun = "failure" if count == 1 else "failures"
    return f"{noun} with {' or '.join(sorted(rules.exceptions))}" if rules.exceptions else noun


def probe_from(rules: BreakerRules, opened_at: datetime | None) -> datetime | None:
    """From when on a probe may go; None for at once, where nobody knows since when it is open."""
    return None if opened_at is None else opened_at + rules.pause


def ended_as(rules: BreakerRules, state: str, classes: Collection[str] | None) -> Ended:
    """What a run that has ended in `state` says; `classes` are the names by which its exception is known."""
    if state == "succeeded":
        return Ended.SUCCEEDED
    counts = state == "failed" and (not rules.exceptions or rules.exceptions & set(classes or ()))
    return Ended.FAILED if counts else Ended.SAYS_NOTHING


def of_the_probe(ends: Collection[Ended]) -> Ended:
    """What a probe says, of whose tick each run has ended so: one failure is enough, and one success without any."""
    return next((end for end in (Ended.FAILED, Ended.SUCCEEDED) if end in ends), Ended.SAYS_NOTHING)


def since(moment: datetime | None, now: datetime) -> str:
    """ "02:10:00 UTC", with the date where it is another than today's; `moment` is in UTC."""
    if moment is None:
        return "an unknown time"
    return f"{moment:%H:%M:%S} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
