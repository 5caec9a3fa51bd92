"""Public holidays by country, as the `holidays` library knows them."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import holidays

from jobs.calendars.errors import CalendarError

LANGUAGE = "en_US"


class Region(NamedTuple):
    """A country, or a subdivision of one."""

    country: str
    subdivision: str = ""


def read_regions(text: str) -> tuple[Region, ...]:
    """The regions of `LV, DE-BY`, in order. CalendarError names a code that the library does not know."""
    codes = [code.strip().upper() for code in text.split(",") if code.strip()]
    return tuple(dict.fromkeys(_region(code) for code in codes))


def _region(code: str) -> Region:
    country, _, subdivision = code.partition("-")
    known = _subdivisions()
    if country not in known:
        raise CalendarError(f"'{code}': no country {country} is known; write a code such as LV, or DE-BY")
    if not subdivision and "-" not in code:
        return Region(country)
    # As the library writes them: some are words, such as Augsburg.
    for name in known[country]:
        if name.upper() == subdivision:
            return Region(country, name)
    there = f"has {', '.join(known[country])}" if known[country] else "has none"
    raise CalendarError(f"'{code}': {country} has no subdivision {subdivision}; it {there}")


@lru_cache(maxsize=1)
def _subdivisions() -> Mapping[str, list[str]]:
    return holidays.list_supported_countries()


@lru_cache(maxsize=1)
def _languages() -> Mapping[str, list[str]]:
    return holidays.list_localized_countries()


@lru_cache(maxsize=10_000)
def holidays_in(region: Region, year: int) -> Mapping[date, str]:
    """The public holidays of a year with their names, in English where the library has that; none where it has none."""
    language = LANGUAGE if LANGUAGE in _languages().get(region.country, ()) else None
    found = holidays.country_holidays(
        region.country, subdiv=region.subdivision or None, years=year, expand=False, language=language
    )
    where = _name(found, region)
    return {day: f"{where}: {name}" for day, name in found.items()}


def _name(found: holidays.HolidayBase, region: Region) -> str:
    """`Latvia`, `Germany (BY)`: the library's classes are called after the countries."""
    classes = [kind.__name__ for kind in type(found).__mro__]
    country = next((name for name in classes if len(name) > 3), region.country)
    country = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", country)
    return f"{country} ({region.subdivision})" if region.subdivision else country
