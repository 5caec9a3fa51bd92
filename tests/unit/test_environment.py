"""What the project is told from outside, and what it says when that is wrong."""

import stat
from pathlib import Path

import pytest

from scheduler_project import environment
from scheduler_project.environment import EnvironmentProblem


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, and none of the variables used here."""
    monkeypatch.setenv("CARILLON_HOME", str(tmp_path))
    for name in ("SECRET_KEY", "COLOUR", "SHAPE", "SPACED", "EMPTY"):
        monkeypatch.setenv(name, "to be restored afterwards")
        monkeypatch.delenv(name)
    return tmp_path


def test_a_missing_file_is_no_problem(tmp_path: Path) -> None:
    environment.load(tmp_path)


def test_the_file_fills_in_what_the_environment_leaves_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "env").write_text("# a comment\n\nCOLOUR=red\n  SHAPE = a=b # c \nSPACED=\n")
    monkeypatch.setenv("COLOUR", "blue")
    environment.load(home)
    assert environment.text("COLOUR") == "blue"
    assert environment.text("SHAPE") == "a=b # c"
    assert environment.text("SPACED", default="none") == "none"


def test_an_empty_variable_counts_as_not_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "env").write_text("COLOUR=red\n")
    monkeypatch.setenv("COLOUR", "")
    environment.load(home)
    assert environment.text("COLOUR") == "red"


@pytest.mark.parametrize("line", ["COLOUR", "=red", "1ST=red", "export COLOUR=red", "CO LOUR=red"])
def test_a_malformed_line_is_named(home: Path, line: str) -> None:
    (home / "env").write_text(f"SHAPE=round\n{line}\n")
    with pytest.raises(EnvironmentProblem, match=r"env, line 2: expected KEY=VALUE"):
        environment.load(home)


def test_a_file_that_is_not_text_is_named(home: Path) -> None:
    (home / "env").write_bytes(b"COLOUR=\xff\n")
    with pytest.raises(EnvironmentProblem, match="env cannot be read"):
        environment.load(home)


def test_home_is_in_the_checkout_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARILLON_HOME")
    assert environment.home(tmp_path) == tmp_path / ".carillon"


def test_a_variable_without_default_has_to_be_set() -> None:
    with pytest.raises(EnvironmentProblem, match="COLOUR is not set"):
        environment.text("COLOUR")


@pytest.mark.parametrize(
    ("value", "meaning"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False), ("no", False)]
)
def test_flags(monkeypatch: pytest.MonkeyPatch, value: str, meaning: bool) -> None:
    monkeypatch.setenv("COLOUR", value)
    assert environment.flag("COLOUR", default=not meaning) is meaning


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_that_is_not_set_has_its_default(default: bool) -> None:
    assert environment.flag("COLOUR", default=default) is default


def test_a_bad_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "perhaps")
    with pytest.raises(EnvironmentProblem, match="COLOUR is 'perhaps'; it has to be one of 1, true"):
        environment.flag("COLOUR", default=True)


def test_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.integer("COLOUR", default=7) == 7
    monkeypatch.setenv("COLOUR", "12")
    assert environment.integer("COLOUR", default=7, least=12) == 12


@pytest.mark.parametrize(
    ("value", "reason"), [("a dozen", "a whole number"), ("1.5", "a whole number"), ("2", "3 or more")]
)
def test_a_bad_integer_is_named(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    monkeypatch.setenv("COLOUR", value)
    with pytest.raises(EnvironmentProblem, match=f"COLOUR is .*{reason}"):
        environment.integer("COLOUR", default=7, least=3)


def test_a_url_of_the_wrong_kind_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "mysql://me:hidden@example.org/x")
    with pytest.raises(EnvironmentProblem, match="COLOUR has to begin with postgres:// or postgresql://") as problem:
        environment.url("COLOUR", schemes=("postgres", "postgresql"))
    assert "hidden" not in str(problem.value)


def test_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOUR", "redis://:word@127.0.0.1:6380/0")
    assert environment.url("COLOUR", schemes=("redis",)) == "redis://:word@127.0.0.1:6380/0"


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(home: Path) -> None:
    first = environment.secret_key(home)
    assert len(first) >= 50
    assert environment.secret_key(home) == first
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600


def test_the_secret_key_of_the_environment_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "given")
    assert environment.secret_key(home) == "given"
    assert not (home / "secret_key").exists()
