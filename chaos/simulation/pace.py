"""The times of the simulated processes, in milliseconds. Leases are the product's; the beat's pace keeps its ratios.

A beat that looked every 0.4 s would spend most of a seed's steps on finding nothing.
"""

from typing import Final

from jobs.conf import Conf

_CONF: Final = Conf()
LEASE: Final = int(_CONF.lease * 1000)
HEARTBEAT: Final = int(_CONF.heartbeat * 1000)
LEASE_MARGIN: Final = int(_CONF.lease_margin * 1000)
MESSAGE_TIMEOUT: Final = int(_CONF.message_timeout * 1000)
MAX_LOSSES: Final = _CONF.max_losses
BURST: Final = _CONF.burst
_SLOWER: Final = 5_000
POLL: Final = int(_CONF.poll * _SLOWER)
LOCK_TTL: Final = int(_CONF.lock_ttl * _SLOWER)
LOCK_MARGIN: Final = int(_CONF.lock_margin * _SLOWER)
RESCUE_INTERVAL: Final = 4_000
WATCH: Final = 200
"""The watchdog looks this often."""
AWAY: Final = 1_000
"""How long a process waits after it has lost its connection."""
LOCKED: Final = 150
"""How often a statement that waits for a row's lock is tried."""
TIMEOUT: Final = 25_000
"""A task's hard limit."""
CLAIM_PATIENCE: Final = 10_000
FINISH_PATIENCE: Final = 300_000
HIDDEN: Final = 600_000
SETTLED: Final = 1_200_000
"""Within this time after the last fault everything has ended."""
