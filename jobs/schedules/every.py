"""`@every 1h30m`: a fixed grid that starts at the Unix epoch, so that a restart or an edit shifts nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.schedules.days import LAST_DAY
from jobs.schedules.errors import ScheduleError
from jobs.schedules.fires import Gap
from jobs.schedules.times import DAY_SECONDS

UNITS = {"w": 7 * DAY_SECONDS, "d": DAY_SECONDS, "h": 3600, "m": 60, "s": 1}
MAX_DAYS = 3650

_END = (LAST_DAY + 1) * DAY_SECONDS
_PERIOD = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in UNITS))


@dataclass(frozen=True, slots=True)
class EveryFires:
    """Every `period` seconds, on the whole multiples of it since 1970-01-01T00:00 UTC."""

    period: int

    def at_or_after(self, instant: int) -> int | None:
        found = -(-max(instant, 0) // self.period) * self.period
        return found if found < _END else None

    def at_or_before(self, instant: int) -> int | None:
        return min(instant, _END - 1) // self.period * self.period if instant >= 0 else None

    def count(self, first: int, last: int) -> int:
        return max(0, min(last, _END - 1) // self.period - (max(first, 0) - 1) // self.period)

    def gaps(self, first: int, last: int) -> Iterator[Gap]:
        return iter(())  # a grid has no times on the wall


def read_period(text: str) -> int:
    """The seconds of `1h30m`; the units, each at most once, from the largest to the smallest."""
    text = "".join(text.split()).lower()
    found = _PERIOD.fullmatch(text)
    if not text or not found:
        raise ScheduleError(
            f"@every: '{text}' is not understood; allowed are numbers with the units w d h m s "
            "in this order, such as 1h30m"
        )
    period = sum(int(number or 0) * size for number, size in zip(found.groups(), UNITS.values(), strict=True))
    if not 1 <= period <= MAX_DAYS * DAY_SECONDS:
        raise ScheduleError(f"@every: {text} is not in 1s-{MAX_DAYS}d")
    return period


def split_period(period: int) -> list[tuple[int, str]]:
    """The units that make up these seconds: 5400 is 1 h and 30 m; weeks only if nothing is left."""
    if period % UNITS["w"] == 0:
        return [(period // UNITS["w"], "w")]
    parts = []
    for unit in "dhms":
        number, period = divmod(period, UNITS[unit])
        if number:
            parts.append((number, unit))
    return parts


def write_period(period: int) -> str:
    return "".join(f"{number}{unit}" for number, unit in split_period(period))
