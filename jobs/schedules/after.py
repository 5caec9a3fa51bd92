"""`@after`: no fire times of its own; the job runs after others, or by hand."""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.schedules.fires import Gap


@dataclass(frozen=True, slots=True)
class AfterFires:
    """No fire times."""

    def at_or_after(self, instant: int) -> int | None:
        return None

    def at_or_before(self, instant: int) -> int | None:
        return None

    def count(self, first: int, last: int) -> int:
        return 0

    def gaps(self, first: int, last: int) -> Iterator[Gap]:
        return iter(())
