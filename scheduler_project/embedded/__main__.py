"""`make run`: servers, setup, web, worker, two beats and Flower, until Ctrl-C."""

import os
import signal
import sys
from pathlib import Path

from scheduler_project import environment
from scheduler_project.embedded import addresses, leftovers, lock, ports
from scheduler_project.embedded.account import NoAccount
from scheduler_project.embedded.administrator import Administrator, administrator
from scheduler_project.embedded.guard import Guard
from scheduler_project.embedded.postgres import without_password
from scheduler_project.embedded.private import write_private
from scheduler_project.embedded.programs import (
    UnusablePath,
    application_programs,
    configuration,
    server_program,
)
from scheduler_project.embedded.server import CHECKOUT, ServerFailed
from scheduler_project.embedded.supervisor import supervise
from scheduler_project.embedded.terminal import Terminal

PROBLEMS = (
    environment.EnvironmentProblem,
    addresses.PortTaken,
    lock.AlreadyRunning,
    ports.NoFreePort,
    NoAccount,
    ServerFailed,
    UnusablePath,
    PermissionError,
)


def main() -> int:
    """Runs everything; the exit code is 0 after a signal and 1 when it could not start."""
    try:
        return 0 if run(environment.home(CHECKOUT)) else 1
    except PROBLEMS as problem:
        print(f"carillon: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the supervisor has taken over the signals; nothing runs yet
        return 0


def run(home: Path) -> bool:
    """One run on the data in `home`. False if the setup failed."""
    _make_home(home)
    os.chdir(home)
    guard = Guard(lock.take(home / "lock"))
    try:
        leftovers.end(home)
        chosen = addresses.choose(home)
        addresses.keep(chosen, home)
        os.environ.update(chosen.variables, CARILLON_HOME=str(home), PYTHONUNBUFFERED="1")
        login = administrator(home)
        programs = [server_program(server) for server in chosen.servers] + application_programs(
            CHECKOUT,
            chosen.port("WEB_PORT"),
            chosen.port("FLOWER_PORT"),
            f"{login.username}:{login.password}",
        )
        path = home / "supervisord.conf"
        write_private(path, configuration(programs))
        terminal = Terminal([program.name for program in programs])
        return supervise(path, terminal, guard, lambda: terminal.say(banner(chosen, login, home)))
    finally:
        guard.close()


def banner(chosen: addresses.Addresses, login: Administrator, home: Path) -> str:
    """Where everything is."""
    variables = chosen.variables
    password = f"password {login.password}  (shown once)" if login.new else "password as before"
    lines = [
        "",
        f"Admin      {variables['WEB_URL']}/admin/",
        f"Flower     {variables['FLOWER_URL']}",
        f"Login      {login.username}, {password}, kept in {home / 'administrator'}",
        f"Postgres   {without_password(variables['DATABASE_URL'])}",
        f"Redis      {without_password(variables['REDIS_URL'])}",
        *(f"Note       {note}" for note in chosen.moved()),
        "",
        "In another terminal: . .venv/bin/activate, then python manage.py … or celery -A scheduler_project …",
        "Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(line or " " for line in lines)


def _make_home(home: Path) -> None:
    """Makes the data directory. Root's servers run as another account, which has to pass through it."""
    home.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 or home.stat().st_uid == os.geteuid():
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    for private in ("logs", "static"):
        (home / private).mkdir(mode=0o700, exist_ok=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
