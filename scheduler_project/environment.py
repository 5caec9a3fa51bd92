"""What the project is told from outside: environment variables, else `.carillon/env`.

`.carillon/env` holds KEY=VALUE lines; the value is the rest of the line, without quotes or escapes. Empty
lines and lines that begin with `#` are passed over. An empty variable counts as one that is not set.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from scheduler_project.embedded.private import kept_secret

LINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class EnvironmentProblem(Exception):
    """An environment variable, or a line of `.carillon/env`, is missing or wrong."""


def home(base_dir: Path) -> Path:
    """Where this checkout keeps its data: CARILLON_HOME, else `.carillon` in the checkout."""
    return Path(os.environ.get("CARILLON_HOME") or base_dir / ".carillon").expanduser().absolute()


def load(base_dir: Path) -> None:
    """Takes the variables of `.carillon/env` that the environment does not set itself."""
    path = home(base_dir) / "env"
    if not path.exists():
        return
    for name, value in read(path).items():
        if not os.environ.get(name):
            os.environ[name] = value


def read(path: Path) -> dict[str, str]:
    """The variables of a file of KEY=VALUE lines; EnvironmentProblem names the bad file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise EnvironmentProblem(f"{path} cannot be read: {problem}") from problem
    variables = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise EnvironmentProblem(f"{path}, line {number}: expected KEY=VALUE")
        variables[match[1]] = match[2].strip()
    return variables


def text(name: str, default: str | None = None) -> str:
    """The variable's value; without a default the variable has to be set."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise EnvironmentProblem(f"{name} is not set; set it in the environment, or start `make run` first")
    return default


def flag(name: str, default: bool) -> bool:
    """A switch: 1, true, yes, on or 0, false, no, off, in any case."""
    value = text(name, default=str(default)).lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise EnvironmentProblem(f"{name} is {value!r}; it has to be one of 1, true, yes, on, 0, false, no, off")


def integer(name: str, default: int, least: int | None = None) -> int:
    """A whole number, not below `least`."""
    value = text(name, default=str(default))
    try:
        number = int(value)
    except ValueError as problem:
        raise EnvironmentProblem(f"{name} is {value!r}; it has to be a whole number") from problem
    if least is not None and number < least:
        raise EnvironmentProblem(f"{name} is {number}; it has to be {least} or more")
    return number


def url(name: str, schemes: Sequence[str], default: str | None = None) -> str:
    """An address with one of the schemes. The message leaves the value out: it may hold a password."""
    value = text(name, default)
    try:
        scheme = urlsplit(value).scheme
    except ValueError as problem:
        raise EnvironmentProblem(f"{name} is not a URL") from problem
    if scheme not in schemes:
        raise EnvironmentProblem(f"{name} has to begin with {' or '.join(f'{each}://' for each in schemes)}")
    return value


def secret_key(base_dir: Path) -> str:
    """SECRET_KEY, else a key made once and kept where only its owner can read it."""
    return os.environ.get("SECRET_KEY", "").strip() or kept_secret(home(base_dir) / "secret_key", size=50)
