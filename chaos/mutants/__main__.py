"""`python -m chaos.mutants [WORD ...]`: the mutants whose names contain the words, as a table; 1 if one survives."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.mutants.catalogue import MUTANTS, Mutant

CHECKOUT = Path(__file__).parents[2]
LEFT_OUT = (".git", ".venv", ".carillon", "__pycache__", ".*_cache", ".hypothesis")
GREEN, RED = 0, 1
"""What pytest says: all tests passed, or some failed. All else means that the tests did not run."""


class Rotten(Exception):
    """A mutant no longer fits the code, or its tests do not run."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a mutant."""

    mutant: Mutant
    caught: bool
    seconds: float

    def markdown(self) -> str:
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in self.mutant.tests)
        return f"| {self.mutant.name} | {tests} | {'red' if self.caught else '**green**'} | {self.seconds:.0f} s |"


def main(words: list[str]) -> int:
    """First everything unchanged, which must be green; then each mutant, which must be red."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    with _copy() as tree:
        for mutant in chosen:
            _mutated(tree, mutant)
        _tell("unchanged")
        if _pytest(tree, sorted({test for mutant in chosen for test in mutant.tests})) != GREEN:
            raise Rotten("the tests are not green without any change")
        trials = [_try(tree, mutant) for mutant in chosen]
    _tell(markdown(trials))
    survivors = [trial.mutant.name for trial in trials if not trial.caught]
    _tell(f"{len(trials)} mutants, {len(survivors)} survived" + "".join(f"\n  {name}" for name in survivors))
    return 1 if survivors else 0


def markdown(trials: Iterable[Trial]) -> str:
    """The table."""
    rows = [trial.markdown() for trial in trials]
    return "\n".join(["| what is taken away | tests | they are | after |", "|---|---|---|---|", *rows])


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def _copy() -> Iterator[Path]:
    """The tree in a folder of its own, in the checkout because the servers' account has to reach it."""
    parent = CHECKOUT / ".carillon" / "temporary"
    parent.mkdir(parents=True, exist_ok=True)
    for folder in (parent, parent.parent):
        folder.chmod(0o711)
    root = Path(tempfile.mkdtemp(dir=parent, prefix="mutants-"))
    root.chmod(0o711)
    try:
        tree = root / "tree"
        shutil.copytree(CHECKOUT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (tree / ".venv").symlink_to(CHECKOUT / ".venv")
        yield tree
    finally:
        shutil.rmtree(root)


def _mutated(tree: Path, mutant: Mutant) -> dict[Path, str]:
    """The files as the mutant has them; Rotten when the text to change is not there exactly once."""
    texts: dict[Path, str] = {}
    for name, old, new in mutant.changes:
        path = tree / name
        text = texts.get(path) or path.read_text()
        if text.count(old) != 1:
            raise Rotten(f"{mutant.name}: {old!r} is {text.count(old)} times in {name}, not once")
        texts[path] = text.replace(old, new)
    return texts


def _try(tree: Path, mutant: Mutant) -> Trial:
    texts = _mutated(tree, mutant)
    unchanged = {path: path.read_text() for path in texts}
    began = time.monotonic()
    try:
        for path, text in texts.items():
            path.write_text(text)
        code = _pytest(tree, mutant.tests)
    finally:
        for path, text in unchanged.items():
            path.write_text(text)
    if code not in (GREEN, RED):
        raise Rotten(f"{mutant.name}: the tests did not run (pytest's exit code is {code})")
    trial = Trial(mutant, code == RED, time.monotonic() - began)
    _tell(f"{'red   ' if trial.caught else 'GREEN '} {trial.seconds:5.1f} s  {mutant.name}")
    return trial


def _pytest(tree: Path, tests: Iterable[str]) -> int:
    # No compiled files: two versions of a text that are written in one second have the same time.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    options = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "scenario or not scenario")
    command = [".venv/bin/python", "-m", "pytest", *options, *tests]
    done = subprocess.run(
        command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode == RED:
        lines = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    _tell("\n".join(lines[-1 if done.returncode in (GREEN, RED) else -30 :]))
    return done.returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m chaos.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only the mutants whose names contain all of these")
    try:
        sys.exit(main(parser.parse_args().words))
    except Rotten as why:
        sys.exit(f"chaos.mutants: {why}")
