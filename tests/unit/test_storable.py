"""What a task returned or raised, made fit for a row: nothing can keep an outcome from being written."""

import json
import math
from datetime import UTC, datetime
from typing import Any, Never

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from jobs.storable import CUT, safe_text, shorten, storable


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("do not look at me")


class ExplodingDict(dict[str, int]):
    def items(self) -> Never:
        raise KeyError("boom")


@pytest.mark.parametrize("result", [None, 0, 1.5, True, "text", "é ☂ 😀", [1, [2]], {"a": {"b": None}}, ""])
def test_json_is_kept_as_it_is(result: Any) -> None:
    assert storable(result) == (result, "")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({1}, "{1}"),
        (b"\x00\xff", "b'\\x00\\xff'"),
        (datetime(2026, 7, 1, tzinfo=UTC), "datetime.datetime(2026, 7, 1, 0, 0, tzinfo=datetime.timezone.utc)"),
        (math.nan, "nan"),
        ({"x": math.inf}, "{'x': inf}"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (Unprintable(), "<Unprintable whose repr() raises RuntimeError>"),
        (ExplodingDict(a=1), "{'a': 1}"),
        ("\ud800", "'\\ud800'"),
        ({"\udfff": 1}, "{'\\udfff': 1}"),
        pytest.param(10**10_000, "<int whose repr() raises ValueError>", id="a huge number"),
    ],
)
def test_of_what_is_not_json_the_text_is_kept_and_said_so(result: Any, text: str) -> None:
    assert storable(result) == (text, "the result is not JSON; its text is kept")


def test_of_a_result_with_nul_characters_the_text_is_kept() -> None:
    assert storable("a\x00b") == ("'a\\x00b'", "the result holds NUL characters; its text is kept")


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_deeply_nested_result_is_stored_somehow(depth: int) -> None:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    kept, _ = storable(nested)
    assert json.dumps(kept)


def test_a_list_that_contains_itself_is_kept_as_text() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert storable(endless) == ("[[...]]", "the result is not JSON; its text is kept")


def test_a_long_result_is_cut_and_its_length_told(settings: Settings) -> None:
    settings.CARILLON = {"RESULT_LIMIT": 10}
    assert storable("x" * 2_000) == ('"' + "x" * 9 + CUT, "the result is cut: it has 2,002 characters")


def test_a_text_is_cut_at_its_end_and_a_traceback_at_its_start(settings: Settings) -> None:
    settings.CARILLON = {"RESULT_LIMIT": 4}
    assert shorten("abcd") == "abcd"
    assert shorten("abcdef") == "abcd" + CUT
    assert shorten("abcdef", keep_end=True) == CUT + "cdef"


def test_a_text_loses_what_postgresql_cannot_hold() -> None:
    assert shorten("a\x00b\ud800c") == "a\N{SYMBOL FOR NULL}b?c"


def test_safe_text_is_the_repr_where_there_is_one() -> None:
    assert safe_text({"a": 1}) == "{'a': 1}"
    assert safe_text(Unprintable()) == "<Unprintable whose repr() raises RuntimeError>"


any_text = st.text(st.characters(), max_size=20)
any_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


@given(any_values)
def test_whatever_comes_back_is_json_that_postgresql_holds(result: Any) -> None:
    kept, note = storable(result)
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text.replace("\\\\", "")
    assert note or kept == result


@given(st.text(st.characters()))
def test_a_shortened_text_is_one_that_postgresql_holds(text: str) -> None:
    shortened = shorten(text)
    assert "\x00" not in shortened
    shortened.encode()


def test_of_a_vast_result_no_json_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.storable.as_json", lambda _: pytest.fail("JSON was made of it"))
    text, note = storable("é" * 20_000_000)
    assert (text[:3], text[-len(CUT) :], len(text)) == ("ééé", CUT, 16_384 + len(CUT))
    assert note == "the result is cut: it has more than 16,384,000 characters"
    part = "x" * 1_000_000
    for vast in ([part] * 17, {"a": {"b": (part,) * 17}}, [0] * 17_000_000, b"x" * 17_000_000):
        assert storable(vast)[0].startswith(f"<{type(vast).__name__} of ")


def test_what_contains_itself_is_not_vast() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    assert storable(ring) == ("[1, [...]]", "the result is not JSON; its text is kept")


def test_a_long_text_is_cut_before_it_is_made_fit() -> None:
    long = "\x00\ud800" * 20_000
    assert shorten(long) == "\N{SYMBOL FOR NULL}?" * 8_192 + CUT
    assert shorten(long, keep_end=True) == CUT + "\N{SYMBOL FOR NULL}?" * 8_192
