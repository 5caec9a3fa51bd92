"""Servers for a test or a check: quick, empty, in a temporary directory, gone afterwards whatever happens.

`python -m scheduler_project.embedded.temporary COMMAND ...` runs a command with them.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.ports import random_free
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.redis import Redis
from scheduler_project.embedded.server import CHECKOUT


class TemporaryServers:
    """A PostgreSQL and a Redis; made, they have addresses; started, they answer.

    The directory is in the checkout and not in /tmp, which is often small.
    """

    def __init__(self) -> None:
        parent = CHECKOUT / ".carillon" / "temporary"
        parent.mkdir(parents=True, exist_ok=True)
        for shared in (parent, parent.parent):
            shared.chmod(0o711)  # the servers' own account has to pass through
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.directory.chmod(0o711)
        (self.directory / "home" / "static").mkdir(parents=True)  # WhiteNoise warns when it is missing
        self._guard = Guard()
        self._guard.remove_afterwards(self.directory)
        self.postgres = Postgres(self.directory / "postgres", random_free(), self._guard, durable=False)
        self.redis = Redis(self.directory / "redis", random_free(), self._guard, append_only=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the project at these servers."""
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "CARILLON_HOME": str(self.directory / "home"),
        }

    def start(self) -> None:
        """Starts both; ServerFailed says which one could not."""
        self.redis.start()
        self.postgres.start()

    def stop(self) -> None:
        """Stops both and removes the directory."""
        self.postgres.stop()
        self.redis.stop()
        self._guard.close()

    def __enter__(self) -> "TemporaryServers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main(command: list[str]) -> int:
    """Runs the command with temporary servers and returns its exit code."""
    with TemporaryServers() as servers:
        return subprocess.run(command, env=os.environ | servers.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
