"""Checks of the arguments that a job gives to its task; a ValueError names the argument and what is allowed."""

from collections.abc import Collection
from zoneinfo import ZoneInfo


def whole_number(name: str, value: object, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}: {value!r} is not a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not in {least}-{most}")
    return value


def number(name: str, value: object, least: float, most: float) -> float:
    """A number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {value!r} is not a number")
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not in {least:g}-{most:g}")
    return float(value)


def text(name: str, value: object, most: int = 200) -> str:
    """A text that is neither empty nor longer than `most` characters, without control characters."""
    if not isinstance(value, str):
        raise ValueError(f"{name}: {value!r} is not a text")
    if not value.strip() or len(value) > most or not value.isprintable():
        raise ValueError(f"{name}: {value[:most]!r} is not a text of 1-{most} printable characters")
    return value


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """One of the words."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(sorted(allowed))}")
    return value


def zone(name: str, value: object) -> ZoneInfo:
    """An IANA time zone."""
    key = text(name, value)
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError) as error:  # an OSError for the name of a folder of zones
        raise ValueError(f"{name}: {value!r} is not a time zone; write a name such as Europe/Riga") from error
