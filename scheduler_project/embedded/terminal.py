"""The output of all processes in one terminal, each line with the name of the process in front."""

import os
import select
import sys
from io import UnsupportedOperation
from itertools import cycle
from typing import TextIO

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92")
OWN = "carillon"


class Terminal:
    """Writes whole lines only, and nothing more once the terminal was closed; the log files have it all."""

    def __init__(self, names: list[str], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._width = max(map(len, [*names, OWN]))
        coloured = self._stream.isatty() and not os.environ.get("NO_COLOR")
        colours = cycle(COLOURS) if coloured else cycle([""])
        self._colour = {OWN: "1" if coloured else "", **dict(zip(names, colours, strict=False))}
        self._rest: dict[str, bytes] = {}
        self._open = True

    def closed(self) -> bool:
        """Whether nobody can read it any more. SIGHUP does not say so when `make` leads the session."""
        return not self._open or _hung_up(self._stream)

    def output(self, name: str, data: bytes) -> None:
        """Prints the lines that the process has completed; the last piece waits for its end."""
        *lines, rest = (self._rest.get(name, b"") + data).split(b"\n")
        self._rest[name] = rest
        for line in lines:
            self._print(name, line.decode(errors="replace").rstrip("\r"))

    def flush(self, name: str) -> None:
        """Prints what an ended process left without a line end."""
        if rest := self._rest.pop(name, b""):
            self._print(name, rest.decode(errors="replace"))

    def say(self, text: str) -> None:
        """Prints lines of our own."""
        for line in text.splitlines():
            self._print(OWN, line)

    def _print(self, name: str, line: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if colour := self._colour.get(name):
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self._write(f"{prefix} {line}\n")

    def _write(self, text: str) -> None:
        if not self._open:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the window was closed, or the reader of a pipe has ended
            self._open = False


def _hung_up(stream: TextIO) -> bool:
    try:
        descriptor = stream.fileno()
    except UnsupportedOperation:  # a stream in memory
        return False
    poll = select.poll()
    poll.register(descriptor, 0)  # asks for nothing but what is always told: errors and hang-ups
    return bool(poll.poll(0))
