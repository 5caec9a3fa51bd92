"""The servers and ports of a run, and the file `.carillon/env` that tells other terminals about them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scheduler_project import environment
from scheduler_project.embedded import ports
from scheduler_project.embedded.postgres import Postgres
from scheduler_project.embedded.private import write_private
from scheduler_project.embedded.redis import Redis
from scheduler_project.embedded.server import Server

PREFERRED = {"POSTGRES_PORT": 5433, "REDIS_PORT": 6380, "WEB_PORT": 8000, "FLOWER_PORT": 5555}
HEADER = "# Written by `make run` at every start; variables of the environment come before these.\n"


class PortTaken(RuntimeError):
    """A port that was asked for by name is in use."""


@dataclass(frozen=True)
class Addresses:
    """The variables of a run, and the servers that are ours to start."""

    variables: Mapping[str, str]
    servers: tuple[Server, ...]
    asked: frozenset[str]
    """The ports that the environment asked for."""

    def port(self, name: str) -> int:
        """The port in one of the variables of `PREFERRED`."""
        return int(self.variables[name])

    def moved(self) -> list[str]:
        """The ports that are not the usual ones, in words."""
        return [
            f"{name} is {self.port(name)}; the usual {usual} was not free"
            for name, usual in PREFERRED.items()
            if name in self.variables and self.port(name) != usual and name not in self.asked
        ]


def choose(home: Path) -> Addresses:
    """Own servers where DATABASE_URL or REDIS_URL name them, else embedded ones; and free ports.

    A port is the one in the environment (PortTaken if it is in use), else that of the last run, else the
    usual one or the next free.
    """
    variables: dict[str, str] = {}
    servers: list[Server] = []
    kept = environment.read(home / "env") if (home / "env").exists() else {}
    kinds: list[tuple[str, str, type[Postgres] | type[Redis]]] = [
        ("DATABASE_URL", "POSTGRES_PORT", Postgres),
        ("REDIS_URL", "REDIS_PORT", Redis),
    ]
    for url, port, kind in kinds:
        if own := os.environ.get(url):
            variables[url] = own
            continue
        kind(home / kind.name, 0).end_leftover()
        variables[port] = str(_port(port, kept, variables))
        server = kind(home / kind.name, int(variables[port]))
        server.prepare()
        servers.append(server)
        variables[url] = server.url
    for service in ("WEB", "FLOWER"):
        port = f"{service}_PORT"
        variables[port] = str(_port(port, kept, variables))
        variables[f"{service}_URL"] = f"http://{ports.HOST}:{variables[port]}"
    return Addresses(variables, tuple(servers), frozenset(name for name in PREFERRED if os.environ.get(name)))


def keep(addresses: Addresses, home: Path) -> None:
    """Writes them where the settings of any other process of this checkout find them."""
    lines = "".join(f"{name}={value}\n" for name, value in addresses.variables.items())
    write_private(home / "env", HEADER + lines)


def _port(name: str, kept: Mapping[str, str], promised: Mapping[str, str]) -> int:
    taken = frozenset(int(value) for key, value in promised.items() if key in PREFERRED)
    if os.environ.get(name):
        asked = environment.integer(name, 0, least=1)
        if asked in taken or not ports.is_free(asked):
            raise PortTaken(f"{name} asks for port {asked}, which is in use")
        return asked
    last = kept.get(name, "")
    if last.isdigit() and int(last) not in taken and ports.is_free(int(last)):
        return int(last)
    return ports.next_free(PREFERRED[name], taken)
