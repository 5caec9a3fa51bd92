"""A worker's own idea of its lease's end, shared with its pool processes."""

import mmap
import struct
import time

_FORMAT = struct.Struct("d")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_now() -> float:
    """Seconds on a clock that never jumps and, on Linux, goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class LeaseClock:
    """When to stop executing, on the steady clock. Anonymous shared memory: the parent writes, forked children read."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _FORMAT.size)
        self.stop_at(float("inf"))

    def stop_at(self, when: float) -> None:
        """Set the moment at which execution must have stopped."""
        _FORMAT.pack_into(self._memory, 0, when)

    @property
    def over(self) -> bool:
        """Whether that moment has come."""
        return steady_now() >= float(_FORMAT.unpack_from(self._memory, 0)[0])


LEASE_CLOCK = LeaseClock()
"""This worker's; made on import, that is before the pool forks."""
