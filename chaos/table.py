"""The table of the fault suite: a row for each scenario, printed at the end and written where it is asked for."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaos.world import Findings

PROPERTY = "chaos"
COLUMNS = ("scenario", "promise", "lost", "doubled", "overlapped", "stuck", "recovered in", "bar", "kept")


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario's row."""

    cells: tuple[str, ...]

    def markdown(self) -> str:
        return f"| {' | '.join(self.cells)} |"


def noted(findings: Findings) -> dict[str, Any]:
    """The findings as plain data, which one test process can hand to another."""
    verdict = findings.verdict
    return {
        "promise": findings.promise,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "overlapped": len(verdict.overlapped),
        "stuck": len(verdict.stuck),
        "recovery": findings.recovery,
        "bar": findings.bar,
        "note": findings.note,
    }


def entry(name: str, found: dict[str, Any], *, passed: bool) -> Entry:
    """The row of a scenario, by the name of its test."""
    title = name.removeprefix("test_").replace("_", " ").replace("[", ": ").rstrip("]")
    return Entry(
        (
            f"{title}{'. ' + found['note'] if found['note'] else ''}",
            str(found["promise"]),
            *(str(found[kind]) for kind in ("lost", "doubled", "overlapped", "stuck")),
            _seconds(found["recovery"]),
            _seconds(found["bar"]),
            "kept" if passed else "**broken**",
        )
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def markdown(entries: Iterable[Entry]) -> str:
    """The whole table."""
    head = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    return "\n".join([*head, *(one.markdown() for one in entries)]) + "\n"


def machine() -> str:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, commit {commit.strip()}"


def add_option(parser: pytest.Parser) -> None:
    """The option that says where the table goes."""
    parser.addoption("--table", type=Path, default=None, help="write the table into this Markdown file")


def write(reporter: Any, target: Path | None) -> None:
    """Print the table of a finished run, and put it between the marks of the file."""
    passed = {report.nodeid for report in reporter.stats.get("passed", [])}
    found = dict(_found(report for reports in reporter.stats.values() for report in reports))
    entries = [entry(node.rpartition("::")[2], data, passed=node in passed) for node, data in found.items()]
    if not entries:
        return
    table = markdown(sorted(entries, key=lambda one: (int(one.cells[1]), one.cells[0])))
    reporter.write_line(table)
    if target is not None:
        _replace(target, f"Measured on {machine()}.\n\n{table}")


def _found(reports: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each scenario's end has noted; the report of its teardown carries it."""
    for report in reports:
        noted_here = dict(getattr(report, "user_properties", ())).get(PROPERTY)
        if noted_here:
            yield report.nodeid, noted_here


def _replace(target: Path, text: str) -> None:
    begin, end = "<!-- table -->\n", "<!-- end of table -->"
    before, _, rest = target.read_text().partition(begin)
    target.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")
