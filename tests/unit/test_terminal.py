"""The one terminal that shows the output of all processes."""

import io
import os

import pytest

from scheduler_project.embedded.terminal import Terminal


class ClosedTerminal(io.StringIO):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


class Screen(io.StringIO):
    """A terminal with colours."""

    def isatty(self) -> bool:
        return True


def test_lines_get_the_name_in_front_and_stay_whole() -> None:
    stream = io.StringIO()
    terminal = Terminal(["web", "worker"], stream)
    terminal.output("web", b"one\ntw")
    terminal.output("worker", b"other\r\n")
    terminal.output("web", b"o\nthree")
    terminal.flush("web")
    terminal.flush("web")
    assert stream.getvalue().splitlines() == [
        "web      | one",
        "worker   | other",
        "web      | two",
        "web      | three",
    ]


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    stream = io.StringIO()
    Terminal(["web"], stream).output("web", b"\xff\n")
    assert stream.getvalue() == "web      | \ufffd\n"


def test_a_screen_has_colours_unless_they_are_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, plain = Screen(), Screen()
    monkeypatch.delenv("NO_COLOR", raising=False)
    Terminal(["web"], screen).output("web", b"one\n")
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal(["web"], plain).output("web", b"one\n")
    assert "\x1b[" in screen.getvalue()
    assert "\x1b[" not in plain.getvalue()


def test_a_closed_terminal_is_noticed_when_it_is_written_to() -> None:
    terminal = Terminal(["web"], ClosedTerminal())
    assert not terminal.closed()
    terminal.say("one")
    terminal.say("two")
    assert terminal.closed()


def test_a_closed_window_is_noticed_without_writing() -> None:
    window, inside = os.openpty()
    with open(inside, "w") as stream:  # noqa: PTH123  # a descriptor
        terminal = Terminal(["web"], stream)
        assert not terminal.closed()
        os.close(window)
        assert terminal.closed()
