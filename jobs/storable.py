"""What a row can hold of what a task returns, raises or keeps: JSON and text, bounded, as PostgreSQL takes it."""

import json
from typing import Any, Final

from jobs.conf import conf

CUT: Final = "… [cut]"
TEXTS: Final = (str, bytes, bytearray)
CONTAINERS: Final = (list, tuple, dict, set, frozenset)
VAST: Final = 1000
"""Of something this many times the limit no JSON is made: that would take its memory several times more."""


def storable(result: Any) -> tuple[Any, str]:
    """A result as it can be kept: itself, its text when it is not JSON, cut when it is too long; and a note on that."""
    limit = conf().result_limit
    if is_vast(result, VAST * limit):
        return _glimpse(result, limit), f"the result is cut: it has more than {VAST * limit:,} characters"
    try:
        text = as_json(result)
    except ValueError as error:
        return shorten(safe_text(result)), f"the result {error}; its text is kept"
    if len(text) > limit:
        return text[:limit] + CUT, f"the result is cut: it has {len(text):,} characters"
    return result, ""


def is_vast(value: Any, most: int) -> bool:
    """Whether it holds more than so many characters, bytes and members, found out without a copy of them."""
    left: list[Any] = [value]
    seen: set[int] = set()
    while left:
        one = left.pop()
        # Of these very types: those that derive from them may have code of the task's own.
        if type(one) not in (*TEXTS, *CONTAINERS) or id(one) in seen:
            continue
        most -= len(one)
        if most < 0:
            return True
        if type(one) in CONTAINERS:
            seen.add(id(one))
            left += [*one, *one.values()] if type(one) is dict else one
    return False


def _glimpse(value: Any, limit: int) -> str:
    """The beginning of a text, or else what kind of thing it is."""
    if isinstance(value, str):
        return shorten(value[: limit + 1])
    return f"<{type(value).__name__} of {len(value):,}>"


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
    limit = conf().result_limit
    if len(text) > limit:
        return CUT + _holdable(text[-limit:]) if keep_end else _holdable(text[:limit]) + CUT
    return _holdable(text)


def _holdable(text: str) -> str:
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
