"""States as JSON and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import StateError
from postroom.model.secret import Secret
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.providers.cursor import Cursor
from postroom.providers.state import canonical, decode, encode, initial, problems_of, walk


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


@dataclass(frozen=True)
class Inner:
    text: str = ""
    moment: datetime | None = None


@dataclass(frozen=True)
class State:
    number: int = 0
    share: float = 0.0
    yes: bool = False
    span: timedelta = timedelta(0)
    key: UUID = field(default_factory=lambda: UUID(int=0))
    colour: Colour = Colour.RED
    one: Number = Number.ONE
    word: Literal["a", "b"] = "a"
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (0, "")
    names: frozenset[str] = frozenset()
    table: dict[str, int | None] = field(default_factory=dict)
    cursor: Cursor = field(default_factory=Cursor)


moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
inners = st.builds(Inner, st.text(st.characters(exclude_categories=["Cs"])), st.none() | moments)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        State,
        number=st.integers(),
        share=st.floats(allow_nan=False, allow_infinity=False),
        yes=st.booleans(),
        span=st.timedeltas(min_value=timedelta(days=-1000), max_value=timedelta(days=1000)),
        key=st.uuids(),
        word=st.sampled_from(["a", "b"]),
        inner=inners,
        many=st.lists(inners, max_size=3).map(tuple),
        pair=st.tuples(st.integers(), st.just("x")),
        names=st.frozensets(st.sampled_from("abc")),
        table=st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(), max_size=3),
        cursor=st.builds(
            lambda when: Cursor.start(look_back=timedelta(hours=1)).advance(when, "id"), moments.filter(lambda m: m.year > 1)
        ),
    )
)
def test_there_and_back(state: State) -> None:
    assert decode(State, encode(state)) == state
    assert canonical(decode(State, encode(state))) == canonical(state)


def test_a_field_that_came_later_takes_its_default() -> None:
    assert decode(Inner, {"text": "x"}) == Inner("x")


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        (State, {"strange": 1}),
        (State, {"number": "1"}),
        (State, {"number": True}),
        (State, {"yes": 1}),
        (State, {"share": "1"}),
        (State, {"colour": "blue"}),
        (State, {"word": "c"}),
        (State, {"inner": {"moment": "yesterday"}}),
        (State, {"inner": {"moment": "2026-01-05T00:00:00"}}),
        (State, {"inner": []}),
        (State, {"pair": [1]}),
        (State, {"names": "abc"}),
        (State, {"table": []}),
        (State, {"table": {"a": "b"}}),
        (State, {"key": "none"}),
        (State, {"span": 1e300}),
        (State, {"cursor": {"look_back": -1}}),
        (State, []),
        (State, None),
    ],
)
def test_what_does_not_fit_is_named_and_not_repeated(kind: type, thing: Any) -> None:
    with pytest.raises(StateError, match=r"^(the state|an entry)"):
        decode(kind, thing)


def test_nesting_is_bounded() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(StateError, match="deeply"):
        encode(deep)


@dataclass(frozen=True)
class WithSecret:
    password: Secret = field(default_factory=lambda: Secret("hunter22"))


@dataclass
class Thawed:
    number: int = 0


@dataclass(frozen=True)
class Needy:
    number: int


def test_what_is_wrong_with_a_class() -> None:
    assert problems_of(State) == []
    assert all(problems_of(kind.spec.state) == [] for kind in (Pop3Provider, SmtpProvider))
    assert "not frozen" in problems_of(Thawed)[0]
    assert "without a default" in problems_of(Needy)[0]
    assert "secret" in problems_of(WithSecret)[0]
    assert "hunter22" not in problems_of(WithSecret)[0]
    assert problems_of(int) == ["int is no dataclass"]
    with pytest.raises(StateError, match="first run"):
        initial(Needy)


def test_walking() -> None:
    assert ("inner.text", "x") in [(path.lstrip("."), one) for path, one in walk(State(inner=Inner("x")))]
