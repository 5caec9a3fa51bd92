"""What the docs say of the code is so."""

import re
from pathlib import Path

import pytest

from jobs.conf import Conf
from jobs.states import MOVES, State

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def test_every_test_that_the_readme_names_exists() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", README)
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_every_promise_and_every_crash_names_a_test() -> None:
    promises = README.partition("## Promises")[2].partition("## What happens")[0]
    crashes = README.partition("## What happens when it dies")[2].partition("## Limits")[0]
    for table in (promises, crashes):
        rows = [row for row in table.splitlines() if row.startswith("|")][2:]
        assert len(rows) >= 10
        assert [row for row in rows if "`test_" not in row] == []


def test_the_states_table_is_the_state_machine() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.partition("| from | may become |")[2].partition("\n\n")[0]
    told: dict[str, set[str]] = {}
    for row in table.splitlines()[2:]:
        source, targets = (cell.strip() for cell in row.strip("|").split("|"))
        told[source] = {target.strip() for target in targets.split(",") if target.strip()}
    assert told == {str(source): {str(target) for target in MOVES[source]} for source in State}


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link}
    assert [link for link in links if link and not (document.parent / link).exists()] == []
    paths = re.findall(r"`((?:jobs|tests|docs|scheduler_project|examples|deploy)/[\w./]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_times_in_the_readme_are_the_defaults() -> None:
    defaults = Conf()
    assert f"a lease ({defaults.lease:g} s)" in README
    assert f"looked for after {defaults.message_timeout:g} s" in README
    assert f"killed {defaults.kill_grace:g} s later" in README
    assert f"cut at {defaults.result_limit:,} characters" in README


def test_no_file_is_longer_than_one_idea() -> None:
    sources = [
        path
        for top in ("jobs", "scheduler_project", "examples", "tests", "chaos", "bench", "deploy")
        for path in (ROOT / top).rglob("*.py")
        if path.parent.name != "migrations"
    ]
    long = {str(path.relative_to(ROOT)): n for path in sources if (n := len(path.read_text().splitlines())) > 300}
    assert long == {}
