"""Hypothesis strategies that build records of any entity from its attribute descriptors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from postroom.model import Attribute, Kind, Lookup, Record, attributes_of

_letters = st.characters(exclude_categories=("Cs",), exclude_characters="\x00")
ids = st.uuids().map(str)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def value_of(spec: Attribute) -> st.SearchStrategy[Any]:
    match spec.kind:
        case Kind.STRING | Kind.MEMO:
            assert spec.limit is not None
            return st.one_of(st.text(_letters, max_size=min(spec.limit, 12)), st.just("x" * min(spec.limit, 5000)))
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.INTEGER | Kind.BIG_INTEGER:
            return st.integers(spec.low, spec.high)
        case Kind.PICKLIST:
            assert spec.options is not None
            return st.sampled_from(spec.options)
        case Kind.LOOKUP:
            return st.builds(Lookup, st.sampled_from(spec.targets or ("contact", "account")), ids)
        case Kind.MOMENT:
            return moments
        case Kind.NUMBER:
            return st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, width=32)
        case Kind.GUID:
            return ids


def record_of(cls: type[Record]) -> st.SearchStrategy[Any]:
    """Any record of this class; attributes that may be empty sometimes are."""
    fields = {}
    for name, spec in attributes_of(cls).items():
        never_empty = spec.required or spec.default is not None
        fields[name] = value_of(spec) if never_empty else st.none() | value_of(spec)
    return st.builds(cls, **fields)
