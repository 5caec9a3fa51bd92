"""Keys: what tells the runs of a job apart for its limit, worked out from their arguments: `tenant:{kwargs[tenant]}`.

A placeholder is `args` or `kwargs` with the way to one value in brackets: `{args[0]}`, `{kwargs[order][tenant]}`. Names
and indexes are all there is: no attributes, no formats, no conversions. `jobs.births` fills it in, in SQL; here it is
checked, when the job is saved or somebody gives a run other arguments.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

LONGEST: Final = 200
"""Characters of a filled-in key; of a longer one the end is replaced by its MD5."""
_PLACEHOLDER = re.compile(r"\{(args|kwargs)((?:\[[^\[\]{}]+\])+)\}")
_EXAMPLES = "write {args[0]} or {kwargs[tenant]}"


def problem_of(template: str) -> str:
    """What is wrong with the template, or an empty text."""
    left = _PLACEHOLDER.sub("", template)
    if "{" in left or "}" in left:
        return f'"{template}" has a brace that belongs to no placeholder; {_EXAMPLES}'
    if left == template:
        return f"needs a placeholder, or all runs would have the same key; {_EXAMPLES}"
    for kind, path in _placeholders(template):
        if kind == "args" and not _is_index(path[0]):
            return f'args["{path[0]}"]: positional arguments have numbers; {_EXAMPLES}'
    return "" if template.isprintable() else "must have printable characters only"


def missing(template: str, arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """The field ("args" or "kwargs") in which a value for the key is missing, and why; None when the key can be made.

    `arguments` has both fields, as JSON values. The template must make sense.
    """
    for kind, path in _placeholders(template):
        value = _walk(arguments[kind], path)
        shown = kind + "".join(f"[{name}]" for name in path)
        if value is None:
            return kind, f"the job's key needs {shown}, which is missing"
        if isinstance(value, (dict, list)):
            return kind, f"the job's key needs {shown} to be a text, a number or a boolean"
    return None


def _placeholders(template: str) -> Iterator[tuple[str, list[str]]]:
    for kind, brackets in _PLACEHOLDER.findall(template):
        yield kind, brackets[1:-1].split("][")


def _walk(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _is_index(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 6
