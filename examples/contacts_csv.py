"""Read a file of contacts: all of it, or an error that names every bad line."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from django.core.exceptions import ValidationError

from examples.models import Contact

COLUMNS = ("email", "name", "team")
LARGEST = 10_000_000  # bytes
MOST_NAMED = 20  # bad lines that an error names


class BadFile(ValueError):
    """The file holds what cannot be a contact; nothing of it is used."""


def read_contacts(path: Path) -> dict[str, Contact]:
    """The contacts by e-mail address, not saved. BadFile names the lines that are wrong and why."""
    if (size := path.stat().st_size) > LARGEST:
        raise BadFile(f"{path.name} has {size:,} bytes; at most {LARGEST:,} are read")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _contacts(path.name, file)
    except UnicodeDecodeError as error:
        raise BadFile(f"{path.name} is not in UTF-8: {error.reason} at byte {error.start}") from error


def _contacts(name: str, file: TextIO) -> dict[str, Contact]:
    contacts: dict[str, Contact] = {}
    bad: list[str] = []
    for line, cells in _lines(name, file):
        try:
            contact = _contact(cells)
            if contact.email in contacts:
                raise ValueError(f"email: {contact.email} is there twice")
            contacts[contact.email] = contact
        except ValueError as error:
            bad.append(f"line {line}: {error}")
    if bad:
        more = f"; and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        raise BadFile(f"{name}: {len(bad)} bad lines, nothing is changed: {'; '.join(bad[:MOST_NAMED])}{more}")
    return contacts


def _lines(name: str, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty, after the heading."""
    reader = csv.reader(file, strict=True)
    try:
        heading = tuple(next(reader, ()))
        if heading != COLUMNS:
            raise BadFile(f"{name}: line 1: the heading must be {','.join(COLUMNS)}, not {','.join(heading)[:100]!r}")
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadFile(f"{name}: line {reader.line_num}: {error}") from error


def _contact(cells: list[str]) -> Contact:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"has {len(cells)} columns in place of {len(COLUMNS)}")
    for column, cell in zip(COLUMNS, cells, strict=True):
        if not cell.isprintable():
            raise ValueError(f"{column}: holds a control character")
    email, name, team = (cell.strip() for cell in cells)
    contact = Contact(email=email.lower(), name=name, team=team)
    try:
        contact.clean_fields()
    except ValidationError as error:
        wrong = (f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
        raise ValueError(", ".join(wrong)) from error
    return contact
