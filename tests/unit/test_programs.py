"""The supervisor's configuration, read by the supervisor's own parser."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from scheduler_project.embedded.programs import (
    SERVERS,
    Program,
    UnusablePath,
    application_programs,
    configuration,
)

AWKWARD = Path("/home/me/50% off; it's#1 'here' %(x)s")


def read(programs: list[Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerOptions:
    """The options as supervisord understands them."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "supervisord.conf"
    path.write_text(configuration(programs))
    monkeypatch.chdir(tmp_path)
    options = ServerOptions()
    options.realize(["--configuration", str(path)])
    return options


def test_awkward_paths_arrive_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program("one", SERVERS, ["run", str(AWKWARD)], AWKWARD, environment={"WORD": "50%"})
    (group,) = read([program], tmp_path, monkeypatch).process_group_configs
    (process,) = group.process_configs
    assert shlex.split(process.command) == ["run", str(AWKWARD)]
    assert process.directory == str(AWKWARD)
    assert process.environment == {"WORD": "50%"}


@pytest.mark.parametrize("path", ["/a ;b", "/a #b", "/a\nb"])
def test_a_path_that_would_begin_a_comment_is_refused(path: str) -> None:
    with pytest.raises(UnusablePath, match="may not hold"):
        configuration([Program("one", SERVERS, ["run"], Path(path))])


def test_the_servers_start_first_and_the_applications_wait_for_the_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Program("postgres", SERVERS, ["postgres"], Path("/"))
    programs = [server, *application_programs(tmp_path, 8000, 5555, "admin:word")]
    groups = sorted(read(programs, tmp_path, monkeypatch).process_group_configs)
    assert [group.name for group in groups] == ["servers", "setup", "applications"]
    started = {process.name: process.autostart for group in groups for process in group.process_configs}
    assert started == {
        "postgres": True,
        "setup": True,
        "web": False,
        "worker": False,
        "beat-1": False,
        "beat-2": False,
        "flower": False,
    }


def test_flowers_login_is_in_its_environment_alone(tmp_path: Path) -> None:
    programs = application_programs(tmp_path, 8000, 5555, "admin:word")
    assert [program.name for program in programs if "admin:word" in program.environment.values()] == ["flower"]
    assert not any("word" in argument for program in programs for argument in program.command)
