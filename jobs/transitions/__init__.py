"""The only writer of a run's `state`: every change is one guarded UPDATE that says whether it won.

Losing is normal: somebody else was first.
"""

from jobs.transitions.claim import Claim, Claimant, Moment, Ticket, claim
from jobs.transitions.moves import (
    admit,
    cancel,
    expire,
    fail,
    hold,
    later,
    meet,
    moment,
    move,
    queue,
    release,
    resend,
    skip,
    succeed,
    try_again,
)
from jobs.transitions.slots import relimit, step_back, tell

__all__ = [
    "Claim",
    "Claimant",
    "Moment",
    "Ticket",
    "admit",
    "cancel",
    "claim",
    "expire",
    "fail",
    "hold",
    "later",
    "meet",
    "moment",
    "move",
    "queue",
    "release",
    "relimit",
    "resend",
    "skip",
    "step_back",
    "succeed",
    "tell",
    "try_again",
]
