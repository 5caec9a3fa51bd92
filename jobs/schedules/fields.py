"""The fields of a cron text and the plain items in them: `*`, values, names, ranges, steps and `H`."""

import re
from dataclasses import dataclass
from hashlib import blake2b

from jobs.schedules.errors import ScheduleError

FIRST_YEAR, LAST_YEAR = 1970, 2199

_BOUND = r"[A-Z]{3}|[0-9]+"
_PLAIN_ITEM = re.compile(rf"(?:\*|(?P<first>{_BOUND})(?:-(?P<last>{_BOUND}))?)(?:/(?P<step>[0-9]+))?")
_HASH_ITEM = re.compile(rf"H(?:\((?P<first>{_BOUND})-(?P<last>{_BOUND})\))?(?:/(?P<step>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in messages, its values, their names, and the last value that `H` may choose."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    hash_high: int | None = None
    more: str = ""

    def items(self, text: str) -> list[str]:
        items = text.split(",")
        if "" in items:
            raise self.error(f"the list '{text}' has an empty item")
        return items

    def values(self, item: str, key: str) -> set[int]:
        """The values of one plain item; `key` is the identity that `H` hashes."""
        if found := _PLAIN_ITEM.fullmatch(item):
            return self._plain(**found.groupdict())
        if found := _HASH_ITEM.fullmatch(item):
            return self._hashed(item, key, **found.groupdict())
        raise self.error(f"'{item}' is not understood; allowed are {self.allowed()}")

    def value(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdigit():
            raise self.error(f"'{text}' is not understood; allowed are {self.allowed()}")
        if not self.low <= int(text) <= self.high:
            raise self.error(f"{text} is not in {self.low}-{self.high}")
        return int(text)

    def allowed(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        ranges = "MON-FRI" if self is WEEKDAY else f"{self.low + 1}-{self.low + 5}"
        hashed = "" if self.hash_high is None else ", H"
        return f"*, {self.low}-{self.high}{names}, ranges such as {ranges}, steps such as */2{hashed}{self.more}"

    def error(self, message: str) -> ScheduleError:
        return ScheduleError(f"{self.name}: {message}")

    def _plain(self, first: str | None, last: str | None, step: str | None) -> set[int]:
        if first is None:
            low, high = self.low, self.high
        elif last is not None:
            low, high = self._range(first, last)
        else:
            low = self.value(first)
            high = low if step is None else self.high
        return set(range(low, high + 1, self._step(step, self._size())))

    def _hashed(self, item: str, key: str, first: str | None, last: str | None, step: str | None) -> set[int]:
        if self.hash_high is None:
            raise self.error(f"'{item}' is not allowed here: H is for the fields of time, day and month")
        low, high = self.low, self.hash_high
        if first is not None and last is not None:
            low, high = self._range(first, last)
        chosen = self._hash(key)
        if step is None:
            return {low + chosen % (high - low + 1)}
        stride = self._step(step, high - low + 1)
        return set(range(low + chosen % stride, high + 1, stride))

    def _hash(self, key: str) -> int:
        # Not hash(): it differs from process to process, and two beats must agree.
        return int.from_bytes(blake2b(f"{self.name}\0{key}".encode(), digest_size=8).digest(), "big")

    def _range(self, first: str, last: str) -> tuple[int, int]:
        low, high = self.value(first), self.value(last)
        if self is WEEKDAY:
            low, high = _sunday_at_either_end(low, high)
        if low > high:
            raise self.error(f"{first}-{last} runs backwards{self._forwards(first, last)}")
        return low, high

    def _forwards(self, first: str, last: str) -> str:
        """The hint how to write a range that passes the end of the field."""
        if self is YEAR:
            return f"; write {last}-{first}"
        end, start = str(self.high), str(self.low)
        if self.names and not (first + last).isdigit():
            end, start = self.names[-1], self.names[0]
        before = first if first == end else f"{first}-{end}"
        after = last if last == start else f"{start}-{last}"
        return f"; write {before},{after}"

    def _step(self, text: str | None, limit: int) -> int:
        if text is None:
            return 1
        if not 1 <= int(text) <= limit:
            raise self.error(f"step {text} is not in 1-{limit}")
        return int(text)

    def _size(self) -> int:
        return 7 if self is WEEKDAY else self.high - self.low + 1


def _sunday_at_either_end(low: int, high: int) -> tuple[int, int]:
    """A range of weekdays may begin with Sunday as 0 or 7, and end with it as 0 or 7."""
    if low == 7 and high < 7:
        low = 0
    if high == 0 and low > 0:
        high = 7
    return low, high


MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

SECOND = Field("second", 0, 59, hash_high=59)
MINUTE = Field("minute", 0, 59, hash_high=59)
HOUR = Field("hour", 0, 23, hash_high=23)
# Every month has days 1 to 28, so a hashed day comes every month, as in Jenkins.
DAY = Field("day of month", 1, 31, hash_high=28, more=", ?, L, L-3, LW, 15W, B, 2B, LB, LB-3")
MONTH = Field("month", 1, 12, MONTH_NAMES, hash_high=12)
WEEKDAY = Field("day of week", 0, 7, WEEKDAY_NAMES, hash_high=6, more=", ?, FRIL (the last), MON#2 (the second)")
YEAR = Field("year", FIRST_YEAR, LAST_YEAR)
