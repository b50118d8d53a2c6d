"""What can be wrong with a message, in a stable spelling. `ParsedMessage.defects` holds these phrases, each at most once, in the order met."""

from __future__ import annotations

from typing import Final

__all__ = ["Defects", "doubled", "unusable_address", "unusable_date"]

MBOX_LINE: Final = "mbox From line"
BYTE_ORDER_MARK: Final = "byte order mark"
NO_HEADERS: Final = "no header fields"
NO_BLANK_LINE: Final = "missing blank line after the header"
STRAY_FROM_LINE: Final = "mbox From line inside the header"
RAW_8BIT: Final = "raw 8-bit header"
CONTROL_CHARACTERS: Final = "control characters in the header"
BAD_ENCODED_WORD: Final = "damaged encoded word"
NO_FROM: Final = "missing From"
NO_MESSAGE_ID: Final = "missing Message-ID"
UNUSABLE_MESSAGE_ID: Final = "unusable Message-ID"
NO_DATE: Final = "missing Date"
BAD_CONTENT_TYPE: Final = "unusable Content-Type"
NO_BOUNDARY: Final = "multipart without boundary"
NO_PARTS: Final = "multipart without parts"
NO_CLOSE_LINE: Final = "missing close line"
ENCODED_MULTIPART: Final = "illegal encoding of a multipart"
ENCODED_MESSAGE: Final = "illegal encoding of an attached message"
UNKNOWN_ENCODING: Final = "unknown transfer encoding"
OPAQUE_ENCODING: Final = "opaque transfer encoding"
BAD_BASE64: Final = "damaged base64"
BAD_QUOTED_PRINTABLE: Final = "damaged quoted-printable"
UNKNOWN_CHARSET: Final = "unknown charset"
BAD_CHARACTERS: Final = "characters that do not fit the charset"
TOO_LARGE: Final = "larger than the limit"
TOO_MANY_LEVELS: Final = "too many levels"
TOO_MANY_PARTS: Final = "too many parts"
TOO_MANY_HEADER_LINES: Final = "too many header lines"
HEADER_TOO_LARGE: Final = "header larger than the limit"
TOO_MANY_PARAMETERS: Final = "too many parameters"
TOO_MANY_ADDRESSES: Final = "too many addresses"
TOO_SLOW: Final = "time budget used up"
PARSER_FAILURE: Final = "parser failure"


def doubled(name: str) -> str:
    """A field that may occur once occurs again; the first one decides (RFC 5322 §3.6)."""
    return f"doubled {name}"


def unusable_address(name: str) -> str:
    """Something in this address field is no address; the raw text stays in `headers`."""
    return f"unusable address in {name}"


def unusable_date(name: str) -> str:
    return f"unusable {name}"


class Defects:
    """An ordered set of phrases."""

    __slots__ = ("_phrases",)

    def __init__(self) -> None:
        self._phrases: dict[str, None] = {}

    def add(self, phrase: str) -> None:
        self._phrases[phrase] = None

    def as_tuple(self) -> tuple[str, ...]:
        return tuple(self._phrases)
