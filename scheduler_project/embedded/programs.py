"""What runs under the supervisor, and its configuration file."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scheduler_project.embedded.ports import HOST
from scheduler_project.embedded.server import Server

# Groups are started in this order and stopped in the reverse one, each only when the one before has ended.
SERVERS, SETUP, APPLICATIONS = "servers", "setup", "applications"
PRIORITY = {SERVERS: 100, SETUP: 200, APPLICATIONS: 300}
BACKOFF = 5  # seconds; the longest wait before a process that keeps dying is started again

HEADER = """\
; Written by `make run` at every start.
[supervisord]
nodaemon = true
silent = true
logfile = logs/supervisord.log
logfile_maxbytes = 1MB
logfile_backups = 1
pidfile = supervisord.pid
childlogdir = logs
minfds = 256
minprocs = 1
"""
SECTION = """
[program:{name}]
command = {command}
directory = {directory}
environment = {environment}
autostart = {autostart}
autorestart = {autorestart}
startsecs = {startsecs}
startretries = {retries}
stopsignal = {stopsignal}
stopwaitsecs = {patience}
killasgroup = true
redirect_stderr = true
stdout_events_enabled = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = 5MB
stdout_logfile_backups = 2
"""
GROUP = """
[group:{name}]
programs = {programs}
priority = {priority}
"""


class UnusablePath(ValueError):
    """The supervisor's configuration file cannot hold the path."""


@dataclass(frozen=True)
class Program:
    """One supervised process."""

    name: str
    group: str
    command: Sequence[str]
    directory: Path
    patience: int = 10
    """Seconds between the polite signal and SIGKILL at the end."""
    stopsignal: str = "TERM"
    environment: dict[str, str] = field(default_factory=dict)

    def section(self) -> str:
        """Its part of the configuration file."""
        once = self.group == SETUP
        return SECTION.format(
            name=self.name,
            command=escaped(shlex.join(self.command)),
            directory=escaped(str(self.directory)),
            environment=",".join(f'{key}="{escaped(value)}"' for key, value in self.environment.items()),
            autostart=str(self.group != APPLICATIONS).lower(),
            autorestart=str(not once).lower(),
            startsecs=0 if once else 2,
            retries=BACKOFF + 1,
            stopsignal=self.stopsignal,
            patience=self.patience,
        )


def server_program(server: Server) -> Program:
    """A prepared server as a supervised process."""
    return Program(
        server.name,
        SERVERS,
        ["env", "-i", *(f"{key}={value}" for key, value in server.environment().items()), *server.command()],
        Path("/"),
        stopsignal=server.polite.name.removeprefix("SIG"),
        patience=20,
    )


def application_programs(checkout: Path, web_port: int, flower_port: int, flower_login: str) -> list[Program]:
    """The setup, then web, worker, two beats and Flower."""
    python = [sys.executable, "-u", "-m"]
    celery = [*python, "celery", "-A", "scheduler_project"]
    gunicorn = [*python, "gunicorn", "--no-control-socket", "--threads=4"]
    web = [*gunicorn, f"--bind={HOST}:{web_port}", "scheduler_project.wsgi"]
    beat = [*celery, "beat", "--pidfile=", "--loglevel=INFO"]
    flower = [*celery, "flower", f"--address={HOST}", f"--port={flower_port}"]
    worker = [*celery, "worker", "--concurrency=2", "--loglevel=INFO"]
    login = {"FLOWER_BASIC_AUTH": flower_login}
    return [
        Program("setup", SETUP, [*python, "scheduler_project.embedded.setup"], checkout),
        Program("web", APPLICATIONS, web, checkout),
        Program("worker", APPLICATIONS, worker, checkout, patience=30),
        Program("beat-1", APPLICATIONS, beat, checkout),
        Program("beat-2", APPLICATIONS, beat, checkout),
        Program("flower", APPLICATIONS, flower, checkout, environment=login),
    ]


def configuration(programs: Sequence[Program]) -> str:
    """The supervisor's configuration file; the paths of its logs are relative to the data directory."""
    parts = [HEADER, *(program.section() for program in programs)]
    for group, priority in PRIORITY.items():
        if names := [program.name for program in programs if program.group == group]:
            parts.append(GROUP.format(name=group, programs=",".join(names), priority=priority))
    return "".join(parts)


def escaped(text: str) -> str:
    """The text as the file's values need it. What would begin a comment there cannot be written at all."""
    if any(mark in text for mark in (" ;", " #", "\n")):
        raise UnusablePath(f"the supervisor cannot be given {text!r}: a path may not hold ' ;' or ' #'")
    return text.replace("%", "%%")
