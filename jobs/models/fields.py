"""JSON columns that hold what a call takes: a list, or an object."""

import json
from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class JSONArrayField(models.JSONField):
    """A JSON list; anything else is refused when validated."""

    empty_values = ()  # so that an empty object is looked at too, and refused

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if value is None:  # which the field allows
            return
        if not isinstance(value, list):
            raise ValidationError(f"must be a JSON list such as [1, 2], not {_kind(value)}")
        refuse_what_postgres_refuses(value)


class JSONObjectField(models.JSONField):
    """A JSON object; anything else is refused when validated."""

    empty_values = ()

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if value is None:  # which the field allows
            return
        if not isinstance(value, dict):
            raise ValidationError(f'must be a JSON object such as {{"key": 1}}, not {_kind(value)}')
        refuse_what_postgres_refuses(value)


def refuse_what_postgres_refuses(value: Any) -> None:
    """Refuse what is JSON to Python but not to PostgreSQL: NaN, the infinities, NUL characters, lone surrogates."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise ValidationError("NaN and Infinity are not JSON") from error
    for text in _texts(value):
        if "\x00" in text:
            raise ValidationError("must not contain the NUL character")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("must not contain half of a surrogate pair")


def unstorable_texts(row: models.Model, exclude: Collection[str]) -> dict[str, Any]:
    """The text fields of a row with what PostgreSQL cannot hold, and why. Forms look for it; Django's models do not."""
    errors: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if isinstance(field, (models.CharField, models.TextField)) and field.name not in exclude:
            try:
                refuse_what_postgres_refuses(str(getattr(row, field.attname)))
            except ValidationError as error:
                errors[field.name] = error
    return errors


def is_readable(row: models.Model, name: str) -> bool:
    """Whether the field holds a value of its type, be it refused or not."""
    field: Any = row._meta.get_field(name)
    value = getattr(row, field.attname)
    try:
        return bool(field.to_python(value) == value)
    except ValidationError:
        return False


def _texts(value: Any) -> Iterator[str]:
    """Every string in it, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _kind(value: Any) -> str:
    names = {str: "a string", int: "a number", float: "a number", bool: "a boolean", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
