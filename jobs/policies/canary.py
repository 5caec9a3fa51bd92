"""The canary: which ticks are its, and when it has done so much worse than the others that it reverts itself."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

NOISE = 0.1
"""Seconds; a median that is above the others' by less says nothing of the definition."""
FINENESS = 10_000


@dataclass(frozen=True, slots=True)
class CanaryRules:
    """How much worse it may do: percentage points of failures, and per cent of the median duration, where given."""

    least_runs: int
    failure_margin: int
    duration_margin: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Runs that have succeeded or failed, how many of them failed, and the median seconds of those that succeeded."""

    runs: int = 0
    failed: int = 0
    median: float | None = None

    @property
    def rate(self) -> Fraction:
        """The share of failures; none of no runs."""
        return Fraction(self.failed, self.runs) if self.runs else Fraction(0)


def takes(percent: int, job: int, tick: datetime) -> bool:
    """Whether a tick is among the `percent` per cent that go to the canary: the same answer whoever asks, and when."""
    drawn = hashlib.sha256(f"canary {job} {tick.timestamp():.6f}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % FINENESS < percent * FINENESS // 100


def why_revert(rules: CanaryRules, canary: Figures, others: Figures) -> str:
    """Why the canary reverts, or an empty text.

    It is judged when `least_runs` of its runs have finished, or as soon as so many have failed that successes up to
    there could not make up for them. With no others to compare with no failures are taken for usual, and no
    duration.
    """
    return _failures(rules, canary, others) or _duration(rules, canary, others)


def _failures(rules: CanaryRules, canary: Figures, others: Figures) -> str:
    judged = max(canary.runs, rules.least_runs, 1)
    if Fraction(canary.failed, judged) <= others.rate + Fraction(rules.failure_margin, 100):
        return ""
    told = f"{canary.failed:,} of {canary.runs:,} canary runs failed ({_per_cent(canary.rate)}), {_others(others)}"
    early = ""
    if canary.runs < judged:
        best = _per_cent(Fraction(canary.failed, judged))
        early = f", which its next {judged - canary.runs:,} could not bring below {best}"
    return f"{told}{early}: margin {rules.failure_margin} points"


def _others(others: Figures) -> str:
    if not others.runs:
        return "and there are no others to compare with"
    return f"{others.failed:,} of {others.runs:,} others ({_per_cent(others.rate)})"


def _duration(rules: CanaryRules, canary: Figures, others: Figures) -> str:
    if rules.duration_margin is None or canary.runs < rules.least_runs:
        return ""
    if canary.median is None or others.median is None or canary.median - others.median < NOISE:
        return ""
    if canary.median <= others.median * (1 + rules.duration_margin / 100):
        return ""
    return (
        f"the canary's median duration is {canary.median:.3g} s, that of the others {others.median:.3g} s: "
        f"margin {rules.duration_margin} %"
    )


def _per_cent(share: Fraction) -> str:
    return f"{float(share * 100):.3g} %"
