"""What a row can hold of what a task returns, raises or keeps: JSON and text, bounded, as PostgreSQL takes it."""

import json
from typing import Any, Final

from jobs.conf import conf

CUT: Final = "… [cut]"


def storable(result: Any) -> tuple[Any, str]:
    """A result as it can be kept: itself, its text when it is not JSON, cut when it is too long; and a note on that."""
    limit = conf().result_limit
    try:
        text = as_json(result)
    except ValueError as error:
        return shorten(safe_text(result)), f"the result {error}; its text is kept"
    if len(text) > limit:
        return text[:limit] + CUT, f"the result is cut: it has {len(text):,} characters"
    return result, ""


def as_json(value: Any) -> str:
    """The value as JSON that PostgreSQL can hold; ValueError says why there is none."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate fails here
    except Exception as error:  # the value's own code may raise anything
        raise ValueError("is not JSON") from error
    if "\\u0000" in text:
        raise ValueError("holds NUL characters")
    return text


def safe_text(value: Any) -> str:
    """repr(), of things whose repr() raises as well."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - whatever it raises
        return f"<{type(value).__name__} whose repr() raises {type(error).__name__}>"


def shorten(text: str, *, keep_end: bool = False) -> str:
    """A text as PostgreSQL can hold it, cut to the limit with a mark."""
    text = text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
    limit = conf().result_limit
    if len(text) <= limit:
        return text
    return CUT + text[-limit:] if keep_end else text[:limit] + CUT
