"""The first administrator's name and password, in a file that only its owner can read."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from scheduler_project import environment
from scheduler_project.embedded.private import write_private


@dataclass(frozen=True)
class Administrator:
    """The login for the admin and for Flower."""

    username: str
    password: str
    new: bool
    """Whether this start made it, so that it has to be shown."""


def administrator(home: Path) -> Administrator:
    """The administrator of this data directory; the first call makes one with a random password."""
    path = home / "administrator"
    if new := not path.exists():
        write_private(path, f"USERNAME=admin\nPASSWORD={secrets.token_urlsafe(15)}\n")
    login = environment.read(path)
    try:
        return Administrator(login["USERNAME"], login["PASSWORD"], new)
    except KeyError as missing:
        raise environment.EnvironmentProblem(f"{path} has no line {missing.args[0]}=…") from missing
