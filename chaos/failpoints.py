"""What happens at the product's failpoints: read from the environment, by the fault suite's settings alone.

`CHAOS_FAILPOINTS="tick.after_commit=kill@3; finish.before=sleep(2)"` kills the process when it reaches the first point
for the third time, and delays each pass of the second by two seconds. An action with @ happens once in a whole
scenario, whichever process comes first and however often it is started again: a file in `CHAOS_LATCHES` says that it
has happened.
"""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs import failpoints

_ACTION = re.compile(
    r"(?P<point>[\w.]+)=(?P<action>kill|killhost|stop|stophost|raise|sleep\((?P<seconds>[\d.]+)\))"
    r"(@(?P<count>\d+))?"
)


class Broken(Exception):
    """A failpoint was told to raise."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """What to do at a point, and at which passing of it; None means each."""

    point: str
    action: str
    seconds: float
    count: int | None


def parse(text: str) -> dict[str, Failpoint]:
    """The failpoints of a specification; ValueError names the part that is wrong."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _ACTION.fullmatch(part)
        if match is None:
            raise ValueError(
                f"failpoint {part!r}: write point=kill@3, with kill, killhost, stop, stophost, raise or sleep(2)"
            )
        count = match["count"]
        found[match["point"]] = Failpoint(
            match["point"],
            match["action"].partition("(")[0],
            float(match["seconds"] or 0),
            int(count) if count else None,
        )
    return found


def install(environment: Mapping[str, str]) -> None:
    """Make the product's points do what the environment says; nothing is set where it says nothing."""
    points = parse(environment.get("CHAOS_FAILPOINTS", ""))
    if points:
        failpoints.hook = _hook(points, Path(environment["CHAOS_LATCHES"]))


def _hook(points: Mapping[str, Failpoint], latches: Path) -> Callable[[str], None]:
    passed: Counter[str] = Counter()

    def reach(name: str) -> None:
        failpoint = points.get(name)
        if failpoint is None:
            return
        passed[name] += 1
        if failpoint.count is None or (passed[name] >= failpoint.count and _first(latches, failpoint)):
            _act(failpoint)

    return reach


def _first(latches: Path, failpoint: Failpoint) -> bool:
    """Whether nobody was here before."""
    latch = latches / f"{failpoint.point}={failpoint.action}"
    try:
        os.close(os.open(latch, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _act(failpoint: Failpoint) -> None:
    match failpoint.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "killhost":
            os.killpg(os.getpgrp(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "stophost":
            os.killpg(os.getpgrp(), signal.SIGSTOP)
        case "sleep":
            time.sleep(failpoint.seconds)
        case _:
            raise Broken(failpoint.point)
