"""docker-compose.yml and the Dockerfile, as far as they can be proved without Docker.

The schema beside this file is our own and strict: it holds the parts of the Compose Specification that are used, so
a misspelt or misplaced key is an error.
"""

import importlib.util
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import flower.options  # noqa: F401  (defines Flower's options)
import pytest
import yaml
from celery.bin.base import CLIContext
from celery.bin.celery import celery as celery_command
from celery.worker.control import Panel
from django.core.management import get_commands, load_command_class
from gunicorn.config import Config  # type: ignore[import-untyped]
from jsonschema import Draft7Validator
from tornado.options import options as flower_options

from scheduler_project.celery import app
from scheduler_project.embedded.postgres import bin_dir

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
SCHEMA = json.loads((Path(__file__).parent / "data" / "compose.schema.json").read_text())
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(:[?-])?")
SECRET = re.compile(r"PASSWORD|SECRET|AUTH|DATABASE_URL|REDIS_URL")

of_each_service = pytest.mark.parametrize("name", SERVICES)


def faults(compose: dict[str, Any]) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in Draft7Validator(SCHEMA).iter_errors(compose)]


def ours() -> list[str]:
    """The services that run our own image."""
    return [name for name, service in SERVICES.items() if "build" in service]


def commands() -> Iterator[tuple[str, list[str]]]:
    """What our services execute: their commands and their health checks."""
    for name in ours():
        yield name, SERVICES[name]["command"]
        if check := SERVICES[name].get("healthcheck"):
            kind, *words = check["test"]
            yield f"{name}-health", words if kind == "CMD" else shlex.split(words[0])
    yield "image", json.loads(instructions("CMD")[-1])


def instructions(name: str) -> list[str]:
    """The arguments of the Dockerfile's instructions of that name."""
    return [line.removeprefix(f"{name} ").strip() for line in DOCKERFILE if line.startswith(f"{name} ")]


def test_the_file_is_as_the_schema_says() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert faults(COMPOSE) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"helthcheck": {}}, "'helthcheck' was unexpected"),
        ({"ports": ["8000:8000"]}, "'8000:8000' does not match"),
        ({"restart": False}, "False is not one of"),
        ({"stop_grace_period": "10 min"}, "'10 min' does not match"),
        ({"depends_on": ["postgres"]}, "is not of type 'object'"),
    ],
)
def test_the_schema_finds_faults(changes: dict[str, Any], fault: str) -> None:
    broken = {**COMPOSE, "services": {**SERVICES, "web": {**SERVICES["web"], **changes}}}
    (found,) = faults(broken)
    assert fault in found


def test_the_services_are_those_of_make_run() -> None:
    assert set(SERVICES) == {"postgres", "redis", "setup", "web", "worker", "beat-1", "beat-2", "flower"}
    assert SERVICES["beat-1"] == SERVICES["beat-2"]
    assert set(ours()) == set(SERVICES) - {"postgres", "redis"}


@of_each_service
def test_a_service_has_a_health_check_or_runs_once(name: str) -> None:
    service = SERVICES[name]
    if name == "setup":
        assert service["restart"] == "no"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert "healthcheck" in service


@of_each_service
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    waits = {other: rule["condition"] for other, rule in SERVICES[name].get("depends_on", {}).items()}
    servers = {"postgres": "service_healthy", "redis": "service_healthy"}
    if name in servers:
        assert waits == {}
    else:
        assert waits == servers | ({} if name == "setup" else {"setup": "service_completed_successfully"})


@of_each_service
def test_nothing_is_published_beyond_loopback(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert bool(ports) == (name in ("web", "flower"))


def test_our_image_does_not_run_as_root() -> None:
    user = instructions("USER")[-1]
    assert user not in ("root", "0")
    assert any(f"useradd --uid 10001 --gid {user}" in line for line in instructions("RUN"))
    for name in ours():
        assert "user" not in SERVICES[name]
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["init"] is True


def test_images_are_pinned() -> None:
    images = [SERVICES["postgres"]["image"], SERVICES["redis"]["image"], *instructions("FROM")]
    assert all(re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z0-9-]+", image) for image in images), images


def test_the_pg_dump_in_our_image_can_read_the_server() -> None:
    version = subprocess.run([bin_dir() / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
    (program,) = re.findall(r"\) (\d+)", version)
    (server,) = re.findall(r":(\d+)", SERVICES["postgres"]["image"])
    assert int(program) >= int(server)


def test_redis_keeps_its_data() -> None:
    script = SERVICES["redis"]["command"][-1]
    assert "--appendonly yes --maxmemory-policy noeviction" in script
    assert script.startswith("exec ")  # else the shell would get the signals
    assert "REDIS_PASSWORD" not in script.splitlines()[0]  # the command line is everybody's to read


def test_the_volumes_are_declared_and_used() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@of_each_service
def test_secrets_come_from_outside_and_are_required(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            found = VARIABLE.findall(str(value))
            assert found, f"{variable} is written into the file"
            assert all(kind == ":?" for _, kind in found), f"{variable} has a default"


def test_the_example_of_the_environment_names_every_variable() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    example = (CHECKOUT / "deploy" / "env.example").read_text()
    assert {name for name, _ in VARIABLE.findall(text)} == set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    required = {name for name, kind in VARIABLE.findall(text) if kind == ":?"}
    assert required == set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE))


@pytest.mark.parametrize(("name", "words"), list(commands()))
def test_what_is_executed_exists_and_takes_these_arguments(name: str, words: list[str]) -> None:
    match words:
        case ["celery", "-A", project, command, *arguments]:
            assert project == app.main
            parse_celery(command, arguments)
        case ["gunicorn", *arguments]:
            Config().parser().parse_args(arguments)
        case ["python", "manage.py", command, *arguments]:
            load_command_class(get_commands()[command], command).create_parser("manage.py", command).parse_args(
                arguments
            )
        case ["python", "-m", module]:
            assert importlib.util.find_spec(module)
        case ["python", "-c", code]:
            compile(code, name, "exec")
        case _:
            pytest.fail(f"{name}: {words} is not a command that this test knows")


def parse_celery(name: str, arguments: list[str]) -> None:
    """Flower's options and inspect's questions pass click unread, so they are looked up where they are defined."""
    command = celery_command.get_command(click.Context(celery_command), name)
    assert command is not None, f"celery has no command {name}"
    context = CLIContext(app=app, no_color=True, workdir=None)
    with click.Context(celery_command, obj=context) as parent:
        command.make_context(name, list(arguments), parent=parent)
    if name == "flower":
        assert all(argument.removeprefix("--").partition("=")[0] in flower_options for argument in arguments)
    if name == "inspect":
        assert arguments[0] in Panel.meta


@pytest.mark.parametrize("words", [["worker", "--concurency=2"], ["beat", "--pidfil="], ["inspect", "pong"]])
def test_a_misspelt_celery_command_would_be_found(words: list[str]) -> None:
    with pytest.raises((click.ClickException, AssertionError)):
        parse_celery(words[0], words[1:])


def test_the_image_gets_what_it_copies_and_no_more() -> None:
    first, *others = [line for line in (CHECKOUT / ".dockerignore").read_text().split("\n") if line and line[0] != "#"]
    assert first == "*"
    let_in = {line[1:] for line in others if line.startswith("!")}
    assert let_in == {copy.split()[0] for copy in instructions("COPY")}
    assert all((CHECKOUT / path).exists() for path in let_in)
