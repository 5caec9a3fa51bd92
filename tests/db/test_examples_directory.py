"""Pruning a directory: what goes, what stays, and what is refused."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from examples.tasks.directory import NotPruned, prune_directory

DAY = 86_400


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.EXAMPLES_DIR = tmp_path / "root"
    (tmp_path / "root" / "logs" / "old").mkdir(parents=True)
    return tmp_path / "root"


def put(path: Path, days: float, size: int = 10) -> Path:
    """A file that was last changed some days ago."""
    path.write_bytes(b"x" * size)
    modified = time.time() - days * DAY
    os.utime(path, (modified, modified))
    return path


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_old_files_go_young_ones_stay(root: Path) -> None:
    put(root / "logs" / "young", 6.9)
    put(root / "logs" / "older", 7.1)
    put(root / "logs" / "old" / "deep", 30)
    put(root / "beside", 30)
    result = prune_directory("logs", max_age_days=7)
    assert result == {"removed": 2, "bytes": 20, "left": 1, "dry_run": False}
    assert names(root) == ["beside", "logs/young"]


def test_the_oldest_go_until_the_rest_fits(root: Path) -> None:
    for day in range(1, 6):
        put(root / "logs" / f"day-{day}", day, size=400_000)
    result = prune_directory("logs", max_megabytes=1)
    assert result == {"removed": 3, "bytes": 1_200_000, "left": 2, "dry_run": False}
    assert names(root) == ["logs/day-1", "logs/day-2"]


def test_age_and_size_together(root: Path) -> None:
    put(root / "logs" / "ancient", 100, size=1)
    put(root / "logs" / "big", 2, size=900_000)
    put(root / "logs" / "new", 1, size=900_000)
    assert prune_directory("logs", max_age_days=50, max_megabytes=1)["removed"] == 2
    assert names(root) == ["logs/new"]


def test_a_dry_run_removes_nothing(root: Path) -> None:
    put(root / "logs" / "old" / "file", 9)
    assert prune_directory("logs", max_age_days=1, dry_run=True) == {
        "removed": 1,
        "bytes": 10,
        "left": 0,
        "dry_run": True,
    }
    assert names(root) == ["logs/old/file"]


def test_links_and_hidden_files_are_passed_over(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside / "precious", 99)
    (root / "logs" / "folder").symlink_to(outside)
    (root / "logs" / "file").symlink_to(outside / "precious")
    (root / "logs" / ".hidden").mkdir()
    put(root / "logs" / ".hidden" / "file", 99)
    put(root / "logs" / ".draft-1", 99)
    assert prune_directory("logs", max_age_days=1)["removed"] == 0
    assert (outside / "precious").exists()
    assert (root / "logs" / "folder" / "precious").exists()
    assert (root / "logs" / ".draft-1").exists()


def test_what_cannot_be_removed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An immutable file cannot be made everywhere, so the system's refusal is played."""
    put(root / "logs" / "stuck", 9)
    put(root / "logs" / "loose", 9)
    unlink = os.unlink

    def refuse(name: str, *, dir_fd: int) -> None:
        if name == "stuck":
            raise PermissionError(1, "Operation not permitted")
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(NotPruned, match="1 files could not be removed: stuck: Operation not permitted"):
        prune_directory("logs", max_age_days=1)
    assert names(root) == ["logs/stuck"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "../outside", "max_age_days": 1}, "path: '../outside' leads out"),
        ({"path": "logs/../../outside", "max_age_days": 1}, "leads out"),
        ({"path": "/etc", "max_age_days": 1}, "path: '/etc' leads out"),
        ({"path": "link", "max_age_days": 1}, "path: 'link' is refused, for .*/link is a symbolic link"),
        ({"path": "link/inner", "max_age_days": 1}, "is a symbolic link"),
        ({"path": "nowhere", "max_age_days": 1}, "path: .*/nowhere does not exist"),
        ({"path": "file", "max_age_days": 1}, "path: .*/file is not a directory"),
        ({"path": "", "max_age_days": 1}, "path: '' is not a text"),
        ({"path": "logs\x00", "max_age_days": 1}, "is not a text of 1-200 printable characters"),
        ({"path": 1, "max_age_days": 1}, "path: 1 is not a text"),
        ({"path": "logs"}, "max_age_days, max_megabytes: at least one"),
        ({"path": "logs", "max_age_days": -1}, "max_age_days: -1 is not in 0-36600"),
        ({"path": "logs", "max_megabytes": "1"}, "max_megabytes: '1' is not a number"),
        ({"path": "logs", "max_age_days": float("nan")}, "max_age_days: nan is not in"),
        ({"path": "logs", "max_age_days": 1, "dry_run": "yes"}, "dry_run: 'yes' is not true or false"),
    ],
)
def test_a_wrong_argument_is_named(root: Path, tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    (tmp_path / "outside" / "inner").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside")
    precious = put(tmp_path / "outside" / "inner" / "precious", 99)
    put(root / "file", 99)
    with pytest.raises(ValueError, match=message):
        prune_directory(**arguments)
    assert precious.exists()
