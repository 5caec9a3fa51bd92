"""Arguments with the tick in them: templates in the texts of a run's arguments, filled in when it is claimed.

A placeholder is `{name}` or `{name:format}`, with a name from PLACEHOLDERS; `{{` and `}}` are literal braces. There
are no attributes, indexes, conversions or nested fields, so a template reaches nothing but these values. A text
stays a text: "{attempt}" becomes "1", not 1. The names of keyword arguments are never templates.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from string import Formatter
from typing import Any, Final

from jobs.schedules import Schedule

LONGEST = 100_000
"""Characters that the filled-in texts of one call's args, or of its kwargs, may have together."""
DEEPEST = 100
"""Levels of lists and objects in which templates are looked for."""

DIRECTIVES = "aAbBdfGHIjmMpSuUVwWyYzZ%"
"""What may follow a % in a time's format: what Python documents of strftime, less what depends on the locale."""
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
# A width has two digits at most: format() would fill any number of them.
_NUMBER = re.compile(r"(.?[<>=^])?[+ -]?0?\d{0,2}[,_]?[dxX]?", re.ASCII)
_TEXT = re.compile(r"(.?[<>^])?\d{0,2}(\.\d{1,3})?s?", re.ASCII)
_SHOWN = 80


class TemplateError(ValueError):
    """An argument cannot be filled in; the message names its place, the placeholder, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a template may tell of a run. `schedule` is the job's; it is asked for only where a time is."""

    scheduled_for: datetime
    schedule: Callable[[], Schedule]
    attempt: int
    shard: int
    job: str
    run: str
    shards: int = 1
    interval_start: datetime | None = None

    def local(self) -> datetime:
        """The run's own time, in the job's zone."""
        return self.scheduled_for.astimezone(self.schedule().timezone)

    def previous(self) -> datetime:
        """The schedule's last tick before it, in the job's zone; ValueError when there is none."""
        if self.interval_start is not None:
            return self.interval_start.astimezone(self.schedule().timezone)
        found = self.schedule().previous_before(self.scheduled_for)
        if found is None:
            raise ValueError(f"the schedule has no tick before {self.local().isoformat()}")
        return found


PLACEHOLDERS: Final[Mapping[str, Callable[[Tick], datetime | int | str]]] = {
    "scheduled_for": Tick.local,
    "previous": Tick.previous,
    "interval_start": Tick.previous,
    "interval_end": Tick.local,
    "attempt": attrgetter("attempt"),
    "shard": attrgetter("shard"),
    "shards": attrgetter("shards"),
    "job": attrgetter("job"),
    "run": attrgetter("run"),
}
"""The data interval goes from the previous tick to the run's own time, which by hand is the moment it was asked for."""

_KNOWN = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


def render(field: str, value: Any, tick: Tick) -> Any:
    """A JSON value with the templates in its texts filled in, at any depth; what has no braces is left as it is.

    Raises TemplateError and nothing else; `field` is what it calls the value: `kwargs["day"]: ...`.
    """
    return _Rendering(tick).value(field, value, DEEPEST)


def literal(value: Any, levels: int = DEEPEST) -> Any:
    """The template that renders to this JSON value. What is too deep to be rendered is left as it is."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if levels and isinstance(value, list):
        return [literal(item, levels - 1) for item in value]
    if levels and isinstance(value, dict):
        return {key: literal(item, levels - 1) for key, item in value.items()}
    return value


class _Rendering:
    """One value's rendering, which counts the characters that it makes."""

    def __init__(self, tick: Tick) -> None:
        self.tick = tick
        self.left = LONGEST

    def value(self, path: str, value: Any, levels: int) -> Any:
        if isinstance(value, str):
            return self._text(path, value) if "{" in value or "}" in value else value
        if not isinstance(value, (list, dict)):
            return value
        if not levels:
            raise TemplateError(f"{_short(path)}: is nested deeper than {DEEPEST} levels")
        if isinstance(value, list):
            return [self.value(f"{path}[{index}]", item, levels - 1) for index, item in enumerate(value)]
        return {key: self.value(f"{path}[{_name(key)}]", item, levels - 1) for key, item in value.items()}

    def _text(self, path: str, text: str) -> str:
        try:
            return "".join(self._part(*part) for part in Formatter().parse(text))
        except TemplateError as error:
            raise TemplateError(f"{_short(path)}: {error}") from error
        except ValueError as error:
            # Without the text itself, which may be a secret.
            told = f"{str(error)[:1].lower()}{str(error)[1:]}; a brace that is meant is written {{{{ or }}}}"
            raise TemplateError(f"{_short(path)}: {told}") from error

    def _part(self, before: str, name: str | None, form: str | None, conversion: str | None) -> str:
        made = before if name is None else before + _filled(name, form or "", conversion, self.tick)
        self.left -= len(made)
        if self.left < 0:
            raise TemplateError(f"what is filled in is longer than {LONGEST:,} characters")
        return made


def _filled(name: str, form: str, conversion: str | None, tick: Tick) -> str:
    shown = "{" + name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "") + "}"
    if name not in PLACEHOLDERS:
        raise TemplateError(f'unknown placeholder "{_short(shown)}"; known are {_KNOWN}, with no attribute or index')
    try:
        if conversion:
            raise ValueError("a conversion such as !r is not allowed")
        return _formatted(PLACEHOLDERS[name](tick), form)
    except (ValueError, OverflowError) as error:
        raise TemplateError(f'placeholder "{_short(shown)}": {error}') from error


def _formatted(value: datetime | int | str, form: str) -> str:
    if "{" in form or "}" in form:
        raise ValueError(f"a placeholder within a placeholder is not allowed; known are {_KNOWN}")
    if isinstance(value, datetime):
        return _DIRECTIVE.sub(lambda found: _directive(value, found[1]), form) if form else value.isoformat()
    allowed, example = (_TEXT, "<20 or .8") if isinstance(value, str) else (_NUMBER, "03d")
    if not allowed.fullmatch(form):
        raise ValueError(f"the format {_name(form)} is not allowed; write one such as {example}, at most 99 wide")
    return format(value, form)


def _directive(value: datetime, letter: str) -> str:
    if not letter or letter not in DIRECTIVES:
        raise ValueError(f"%{letter} is not allowed; allowed are {' '.join(f'%{known}' for known in DIRECTIVES)}")
    return value.strftime(f"%{letter}")


def _name(text: Any) -> str:
    return json.dumps(_short(str(text)), ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
