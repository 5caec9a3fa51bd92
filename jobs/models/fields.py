"""JSON columns that hold what a call takes: a list, or an object."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class JSONArrayField(models.JSONField):
    """A JSON list; anything else is refused when validated."""

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if not isinstance(value, list):
            raise ValidationError(f"must be a JSON list such as [1, 2], not {_kind(value)}")
        refuse_nonfinite(value)


class JSONObjectField(models.JSONField):
    """A JSON object; anything else is refused when validated."""

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if not isinstance(value, dict):
            raise ValidationError(f'must be a JSON object such as {{"key": 1}}, not {_kind(value)}')
        refuse_nonfinite(value)


def refuse_nonfinite(value: Any) -> None:
    """Refuse NaN, the infinities, NUL characters and lone surrogates, which PostgreSQL's JSON cannot hold."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError("must not contain a lone surrogate") from error
    except ValueError as error:
        raise ValidationError("NaN and Infinity are not JSON") from error
    if "\\u0000" in text:
        raise ValidationError("must not contain the NUL character")


def _kind(value: Any) -> str:
    return {str: "a string", int: "a number", float: "a number", bool: "a boolean", list: "a list"}.get(
        type(value), "an object" if isinstance(value, dict) else "null"
    )
