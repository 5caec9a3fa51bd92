"""Daylight saving: when each system's own schedules fire, against an independent cron. No process is needed."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chaos.expectation import Window, ticks
from chaos.peers.places import PROJECT, PYTHON
from chaos.peers.row import Note, Row
from jobs import schedules

ZONE = "Europe/Riga"
HOUR = timedelta(hours=1)
CHANGES = {
    "spring": (datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 3, 29, 12, 5, tzinfo=UTC)),
    "autumn": (datetime(2027, 10, 30, 12, tzinfo=UTC), datetime(2027, 11, 1, 12, 5, tzinfo=UTC)),
}
CRONS = {
    "30 3 * * *": "in the hour that the change skips or repeats",
    "0 * * * *": "each hour",
    "*/15 * * * *": "each quarter of an hour",
}


def of_carillon(text: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """The fire times by Carillon's own schedules."""
    schedule = schedules.parse(text, ZONE)
    fire = schedule.next_after(since)
    while fire is not None and fire <= until:
        yield fire.astimezone(UTC)
        fire = schedule.next_after(fire)


def of_peers(since: datetime, until: datetime) -> dict[str, dict[str, list[datetime]]]:
    """The fire times by the peers' schedule classes."""
    command = [str(PYTHON), "peer_daylight.py", ZONE, since.isoformat(), until.isoformat(), *CRONS]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return {
        peer: {text: [datetime.fromisoformat(fire) for fire in fires] for text, fires in by_text.items()}
        for peer, by_text in json.loads(told).items()
    }


@pytest.mark.parametrize("season", CHANGES)
def test_fire_times(season: str, note: Note) -> None:
    since, until = CHANGES[season]
    found = of_peers(since, until)
    found["Carillon"] = {text: list(of_carillon(text, since, until)) for text in CRONS}
    for text, where in CRONS.items():
        due = list(ticks(Window(text, ZONE, since, until)))
        for system, by_text in found.items():
            note(judged(f"clock change in {season}: `{text}`, {where}", system, due, by_text[text]))
        assert found["Carillon"][text] == due


def judged(fault: str, system: str, due: Sequence[datetime], fires: Sequence[datetime]) -> Row:
    """The row of one schedule of one system. A tick that comes at another time of its hour is not lost."""
    lost, extra = sorted((Counter(due) - Counter(fires)).elements()), sorted((Counter(fires) - Counter(due)).elements())
    moved = [pair for pair in zip(lost, extra, strict=False) if abs(pair[0] - pair[1]) < HOUR]
    told = [f"at {_local(extra_at)} instead of {_local(lost_at)}" for lost_at, extra_at in moved]
    told += [f"not at {_local(tick)}" for tick in lost if tick not in {pair[0] for pair in moved}]
    told += [f"also at {_local(tick)}" for tick in extra if tick not in {pair[1] for pair in moved}]
    return Row(fault, system, len(lost) - len(moved), len(extra) - len(moved), 0, "", "; ".join(told))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(ZONE)):%H:%M %Z}"
