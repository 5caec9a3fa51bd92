"""A peer under fault: its beats and workers as real processes, and what the witness saw of them."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from chaos.peers.places import PROJECT, PYTHON
from chaos.peers.row import Row, seconds
from tests.process.system import Program
from tests.waiting import wait_until

DCB, REDBEAT = "django-celery-beat", "celery-redbeat"
SCHEDULERS = {DCB: "django_celery_beat.schedulers:DatabaseScheduler", REDBEAT: "redbeat.RedBeatScheduler"}
START = 40.0
INTERVAL = 1.0
"""Seconds between two ticks of the watched task."""


class PeerProgram(Program):
    """A process of a peer, by the peers' own Python."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(PYTHON), *arguments],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid


class Peer:
    """One system. Its watched task is due every second from the first tick that was sent."""

    def __init__(
        self, system: str, folder: Path, redis_url: str, database_url: str, *, seconds: float, acks_late: bool
    ) -> None:
        self.system = system
        self.name = f"{system}, `acks_late`" if acks_late else system
        self.folder = folder
        self.redis_url = redis_url
        self.programs: list[Program] = []
        (folder / "locks").mkdir()
        self._witness = folder / "witness"
        self._witness.touch()
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DJANGO_SETTINGS_MODULE": "peer_settings",
            "WITNESS": str(self._witness),
            "PEER_SECONDS": str(seconds),
            "PEER_ACKS_LATE": "1" if acks_late else "0",
            "PYTHONUNBUFFERED": "1",
        }

    def beat(self) -> Program:
        """A beat."""
        return self._start("beat", "--pidfile=", "-S", SCHEDULERS[self.system])

    def worker(self, *, processes: int = 2, redis_url: str | None = None) -> Program:
        """A worker, ready; it may reach Redis by another address."""
        name = f"w{len(self.programs)}@peer"
        program = self._start("worker", "-c", str(processes), "-n", name, redis_url=redis_url)
        wait_until(lambda: " ready." in program.text() or not program.running, START, f"{name} is ready")
        assert program.running, program.text()
        return program

    def _start(self, kind: str, *options: str, redis_url: str | None = None) -> Program:
        environment = self._environment | ({"REDIS_URL": redis_url} if redis_url else {})
        log = self.folder / f"{len(self.programs)}-{kind}.log"
        program = PeerProgram(kind, ["-m", "celery", "-A", "peer_app", kind, "-l", "info", *options], environment, log)
        self.programs.append(program)
        return program

    def seen(self, event: str) -> list[dict[str, Any]]:
        """What beats and tasks have written."""
        lines = [json.loads(line) for line in self._witness.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def messages(self, event: str) -> set[str]:
        """The messages that were sent, have started or have ended."""
        return {line["message"] for line in self.seen(event)}

    def executing(self) -> set[str]:
        """The messages whose execution has started and not ended."""
        return self.messages("start") - self.messages("end")

    def all_end(self, messages: Collection[str], within: float) -> bool:
        """Wait until these messages have been executed; False if that takes longer."""
        end = time.monotonic() + within
        while not set(messages) <= self.messages("end"):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def sends_again(self, since: float, within: float) -> float | None:
        """Seconds from `since` until a tick was sent after it; None if nobody sends within so many."""
        while time.monotonic() < since + within:
            times: list[float] = [line["at"] for line in self.seen("sent") if line["at"] > since]
            if times:
                return min(times) - since
            time.sleep(0.05)
        return None

    def row(self, fault: str, recovery: float | None, remark: str = "") -> Row:
        """End the beats, let what was sent be executed, and count."""
        until = time.monotonic()
        for program in self.programs:
            if program.name == "beat" and program.running:
                program.kill()
        self.all_end(self.messages("sent"), 8)
        lost, doubled = self._sent(until)
        lost += len(self.messages("sent") - self.messages("end"))
        ends = Counter(line["message"] for line in self.seen("end"))
        doubled += sum(count - 1 for count in ends.values())
        return Row(fault, self.name, lost, doubled, len(self.seen("overlap")), seconds(recovery), remark)

    def _sent(self, until: float) -> tuple[int, int]:
        """How many ticks were not sent, and how many twice: by the gaps, since an interval has no fixed times."""
        times = sorted(line["at"] for line in self.seen("sent"))
        gaps = [after - before for before, after in zip(times, [*times[1:], until], strict=True)]
        lost = sum(round(gap / INTERVAL) - 1 for gap in gaps if gap > 1.5 * INTERVAL)
        due = round((times[-1] - times[0]) / INTERVAL) + 1
        lost_between = sum(round(gap / INTERVAL) - 1 for gap in gaps[:-1] if gap > 1.5 * INTERVAL)
        return lost, max(0, len(times) - (due - lost_between))

    def close(self) -> None:
        """End everything, and show the logs in case the test has failed."""
        for program in self.programs:
            if program.running:
                program.kill()
        for program in self.programs:
            sys.stdout.write(f"----- {program.log.name}\n{program.text()[-4000:]}\n")
