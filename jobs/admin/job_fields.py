"""The form fields of a job that Django has no fitting ones for."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

DEEPEST = 100
"""How many levels of lists and objects arguments may have."""

_EXAMPLES: Mapping[type, str] = {list: 'a JSON list, such as ["a", 1]', dict: 'a JSON object, such as {"days": 7}'}


class SuggestingInput(forms.TextInput):
    """A text input with suggestions, of which none has to be taken. They are asked for when the page is made."""

    template_name = "admin/jobs/suggesting_input.html"

    def __init__(self, suggestions: Callable[[], Iterable[str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "vTextField", "autocomplete": "off", "spellcheck": "false"} | (attrs or {}))
        self.suggestions = suggestions

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        widget["suggestions"] = self.suggestions()
        widget["attrs"]["list"] = f"{widget['attrs'].get('id', name)}_suggestions"
        return context


class JSONTextField(forms.CharField):
    """A JSON list or object as text. An empty text is an empty one; what is wrong is told with its place."""

    def __init__(self, kind: type, **options: Any) -> None:
        attributes = {"rows": 3, "class": "vLargeTextField cn-code", "spellcheck": "false"}
        super().__init__(required=False, widget=forms.Textarea(attributes), **options)
        self.kind = kind

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(self.kind() if value is None else value, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.strip():
            return self.kind()
        parsed = _parsed(value)
        if not isinstance(parsed, self.kind):
            raise ValidationError(f"This must be {_EXAMPLES[self.kind]}.")
        return parsed


class OwnUnlessGiven(JSONTextField):
    """Arguments as JSON. An empty text is None, which stands for the job's own."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else super().to_python(value)


def _parsed(text: str) -> Any:
    try:
        parsed = json.loads(text, parse_constant=_refuse_constant)
        # A lone surrogate is JSON, but no text that PostgreSQL can store.
        json.dumps(parsed, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValidationError(f"Line {error.lineno}, column {error.colno}: {_told(error)}.") from error
    except RecursionError as error:
        raise ValidationError(f"This is nested deeper than {DEEPEST} levels.") from error
    except UnicodeEncodeError as error:
        raise ValidationError("This has half of a surrogate pair, which is not a character.") from error
    except ValueError as error:
        raise ValidationError(f"{error}.") from error
    if _deeper_than(DEEPEST, parsed):
        raise ValidationError(f"This is nested deeper than {DEEPEST} levels.")
    return parsed


def _told(error: json.JSONDecodeError) -> str:
    if error.pos < len(error.doc) and error.doc[error.pos] in "'\N{LEFT DOUBLE QUOTATION MARK}":
        return f'{error.msg}; JSON has plain double quotes, "like this"'
    return error.msg[0].lower() + error.msg[1:]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(limit: int, value: Any) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
