"""Keys: which templates make sense, and which arguments lack what they need."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.policies.keys import missing, problem_of


@pytest.mark.parametrize(
    "template", ["{args[0]}", "tenant:{kwargs[tenant]}", "{kwargs[a][b]}-{args[1][0][x]}", "{kwargs[with space]}"]
)
def test_a_key_with_placeholders_makes_sense(template: str) -> None:
    assert problem_of(template) == ""


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("tenant", "needs a placeholder"),
        ("{tenant}", "a brace that belongs to no placeholder"),
        ("{kwargs}", "a brace that belongs to no placeholder"),
        ("{kwargs.tenant}", "a brace that belongs to no placeholder"),
        ("{kwargs[tenant].__class__}", "a brace that belongs to no placeholder"),
        ("{kwargs[tenant]!r}", "a brace that belongs to no placeholder"),
        ("{kwargs[tenant]:>10}", "a brace that belongs to no placeholder"),
        ("{kwargs[]}", "a brace that belongs to no placeholder"),
        ("{args[0]}}", "a brace that belongs to no placeholder"),
        ("{args[first]}", "positional arguments have numbers"),
        ("{args[-1]}", "positional arguments have numbers"),
        ("{args[0]}\n", "printable"),
    ],
)
def test_what_makes_no_sense_is_told(template: str, why: str) -> None:
    assert why in problem_of(template)


@pytest.mark.parametrize(
    ("template", "args", "kwargs", "field", "why"),
    [
        ("{args[1]}", ["a"], {}, "args", "args[1], which is missing"),
        ("{kwargs[tenant]}", [], {}, "kwargs", "kwargs[tenant], which is missing"),
        ("{kwargs[tenant]}", [], {"tenant": None}, "kwargs", "kwargs[tenant], which is missing"),
        ("{kwargs[a][b]}", [], {"a": "text"}, "kwargs", "kwargs[a][b], which is missing"),
        ("{kwargs[a][b]}", [], {"a": {"b": []}}, "kwargs", "kwargs[a][b] to be a text, a number or a boolean"),
        ("{kwargs[a][upper]}", [], {"a": "text"}, "kwargs", "kwargs[a][upper], which is missing"),
    ],
)
def test_what_the_arguments_lack_is_told_with_its_field(
    template: str, args: Any, kwargs: Any, field: str, why: str
) -> None:
    found = missing(template, {"args": args, "kwargs": kwargs})
    assert found is not None
    assert found[0] == field
    assert why in found[1]


@pytest.mark.parametrize("value", ["", "x", 0, 1.5, False])
def test_texts_numbers_and_booleans_are_there(value: Any) -> None:
    assert missing("{kwargs[a][0]}{args[0]}", {"args": [value], "kwargs": {"a": [value]}}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text(), st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_nothing_is_raised_whatever_is_written(template: str, args: Any, kwargs: Any) -> None:
    problem_of(template)
    missing("{args[0][1]}{kwargs[a][b]}", {"args": args, "kwargs": kwargs})
