"""Values of extended properties: checked, and in one spelling (ews reference 7; MS-OXWSXPROP 2.1.4).

A stored property is a value of ExtendedPropertyType: its path, and "Value" (text) or "Values". Numbers have no leading zeros, booleans are words, moments
are UTC in whole seconds, octets are base64 without white space.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, path_of

__all__ = ["normalised", "path_of_property", "property_value", "text_of", "values_of"]

Value = dict[str, Any]


def _boolean(text: str) -> str:
    return {"true": "true", "1": "true", "false": "false", "0": "false"}[text.lower()]


def _whole(bits: int) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if len(text) > 40:
            raise ValueError
        value = int(text)
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError
        return str(value)

    return checked


def _real(text: str) -> str:
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _time(text: str) -> str:
    found = moment(text)
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if found.year >= 1000 else text


def _octets(text: str) -> str:
    return base64.b64encode(base64.b64decode("".join(text.split()), validate=True)).decode("ascii")


def _guid(text: str) -> str:
    return str(uuid.UUID(text))


_TYPES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "ApplicationTime": _real,
        "Binary": _octets,
        "Boolean": _boolean,
        "CLSID": _guid,
        "Currency": _real,
        "Double": _real,
        "Float": _real,
        "Integer": _whole(32),
        "Long": _whole(64),
        "Short": _whole(16),
        "String": str,
        "SystemTime": _time,
    }
)


def _scalar(kind: str, text: str) -> str:
    check = _TYPES.get(kind)
    if check is None:  # Error, Null, Object: MS-OXWSXPROP 2.1.7 says that they cannot be set
        raise EwsError("ErrorUnsupportedPropertyDefinition")
    try:
        return check(text if kind == "String" else text.strip())
    except (ValueError, KeyError, OverflowError, binascii.Error):
        raise EwsError("ErrorInvalidExtendedPropertyValue", f"'{text[:60]}' is no {kind}.") from None


def normalised(given: Value) -> Value:
    """A property of a request, as it is kept. Raises EwsError."""
    path = path_of_property(given)
    kind = path.type
    if kind.endswith("Array"):
        if "Values" not in given:
            raise EwsError("ErrorInvalidExtendedPropertyValue", f"A property of type {kind} has Values.")
        values = [_scalar(kind.removesuffix("Array"), one) for one in given["Values"]["Value"]]
        return {"ExtendedFieldURI": given["ExtendedFieldURI"], "Values": {"Value": values}}
    if "Value" not in given:
        raise EwsError("ErrorInvalidExtendedPropertyValue", f"A property of type {kind} has one Value.")
    return {"ExtendedFieldURI": given["ExtendedFieldURI"], "Value": _scalar(kind, given["Value"])}


def path_of_property(given: Value) -> Extended:
    path = path_of("ExtendedFieldURI", given["ExtendedFieldURI"])
    assert isinstance(path, Extended)
    return path


def values_of(given: Value) -> str | list[str]:
    """What a kept property holds."""
    if "Values" in given:
        found: list[str] = given["Values"]["Value"]
        return found
    return str(given["Value"])


def text_of(value: Any) -> str:
    """A first-class value as extended properties write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def property_value(path: Extended, value: Any) -> Value:
    """The property of an answer, its path as the request wrote it."""
    spelling = dict(path.spelling)
    if isinstance(value, list):
        return {"ExtendedFieldURI": spelling, "Values": {"Value": [text_of(one) for one in value]}}
    return {"ExtendedFieldURI": spelling, "Value": text_of(value)}
