"""A standby of PostgreSQL that every commit waits for, and its promotion when the primary dies."""

from pathlib import Path

import psycopg2

from scheduler_project.embedded.ports import random_free
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.private import write_private


class Standby(Postgres):
    """A copy of a running server, which follows it; it is in the primary's folder, and goes with that."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        folder = Path(f"{primary.folder}-standby-{random_free()}")
        super().__init__(folder, random_free(), primary._guard, durable=False)

    @classmethod
    def of(cls, primary: Postgres) -> "Standby":
        """Copy the primary, start the copy, and have the primary's commits wait for it from now on."""
        standby = cls(primary)
        standby.start()
        standby.primary_waits("*")
        return standby

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700)
        write_private(self.folder / "password", self.primary.password)
        super().prepare()

    def primary_waits(self, names: str) -> None:
        """For which standbys the primary's commits wait; none if empty."""
        self._ask(self.primary.url, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self._ask(self.primary.url, "SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Make it a primary of its own, when the old one is dead."""
        self._ask(self.url, "ALTER SYSTEM RESET synchronous_standby_names")
        self._ask(self.url, "SELECT pg_promote(true, 30)")
        self._ask(self.url, "SELECT pg_reload_conf()")

    def _initialize(self) -> None:
        source = self.primary.url_of("postgres")
        self._run(
            [*self._program("pg_basebackup"), "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-d", source]
        )
        self._write("initialized", "The data directory is complete.\n")

    @staticmethod
    def _ask(url: str, statement: str) -> None:
        session = psycopg2.connect(url)
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(statement)
        session.close()
