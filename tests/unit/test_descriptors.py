"""What becomes of a process whose file descriptors a task has closed; each case in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = """
import os, sys
from jobs.worker.clean_room import one_process
from jobs.worker.descriptors import Descriptors, identity
report = os.fdopen(os.dup(1), "w")
end, pipe = os.pipe()
before = Descriptors.of_this_process()
"""


def told(code: str, *, expect: int = 0) -> str:
    """What the program says of itself, and that it ends as expected."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code], cwd=ROOT, input="", capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == expect, done.stderr
    return done.stdout.strip()


def test_closed_standard_descriptors_are_what_they_were() -> None:
    code = """
known = [identity(number) for number in (0, 1, 2)]
os.closerange(0, 3)
taken = os.open(os.devnull, os.O_RDONLY)
changed = before.put_back()
same = known == [identity(number) for number in (0, 1, 2)]
print(taken, changed, same, before.lost, before.put_back(), file=report, flush=True)
"""
    assert told(code) == "0 ['the descriptor 0', 'the descriptor 1', 'the descriptor 2'] True False []"


def test_a_process_without_the_pipes_to_its_parent_is_lost() -> None:
    code = """
os.close(pipe)
print(before.put_back(), before.lost, file=report, flush=True)
"""
    assert told(code) == "['the pipes to the worker (this process ends)'] True"


def test_with_everything_closed_no_connection_gets_the_number_of_the_log() -> None:
    code = """
os.closerange(0, report.fileno())
os.closerange(report.fileno() + 1, 4096)
changed = before.put_back()
null = os.stat(os.devnull)
print(len(changed), before.lost, [os.path.sameopenfile(n, 0) for n in (0, 1, 2)],
      identity(0) == (null.st_dev, null.st_ino, null.st_rdev), os.open("/etc/hosts", os.O_RDONLY) > 2,
      file=report, flush=True)
"""
    assert told(code) == "4 True [True, True, True] True True"


def test_a_forked_copy_ends_where_the_task_does() -> None:
    code = """
for leave in (lambda: None, lambda: sys.exit(7), lambda: 1 / 0, lambda: sys.exit("text")):
    parent = os.getpid()
    try:
        with one_process():
            child = os.fork()
            if not child:
                leave()
    finally:
        if os.getpid() != parent:
            print("a copy goes on", file=report, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=report, flush=True)
"""
    assert told(code).split() == ["0", "7", "1", "1"]
