"""Query strings as predicates: the common keywords of Advanced Query Syntax (ews reference 9).

query  = term { ["AND"] term | "OR" term }      NOT binds closest, then AND, then OR
term   = "NOT" term | "(" query ")" | keyword ":" value | word | "phrase"
value  = [ comparison ] word | "phrase" | low ".." high | "(" query of the same keyword ")"

What is not understood finds nothing, with success.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field
from postroom_simulator.ews.items.kinds import STICKY_NOTE, kind_of
from postroom_simulator.ews.search.restriction import Predicate, contains
from postroom_simulator.ews.search.values import Source, getter
from postroom_simulator.store.interface import Item

__all__ = ["compile_query", "highlighted", "words_of"]

LIMIT = 4096
"""Characters of a query (our choice)."""
MOST_WORDS = 256
_TOKEN = re.compile(r'\s*(\(|\)|[A-Za-z]+(?=[:<>=])|:|<=|>=|<|>|=|-(?=\S)|"[^"]*"|[^\s()":<>=]+)')
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
)
_TEXT = {
    "subject": ("item:Subject",),
    "from": ("message:From", "message:Sender"),
    "to": ("message:ToRecipients",),
    "cc": ("message:CcRecipients",),
    "bcc": ("message:BccRecipients",),
    "recipients": ("message:ToRecipients", "message:CcRecipients", "message:BccRecipients"),
    "participants": ("message:From", "message:ToRecipients", "message:CcRecipients", "message:BccRecipients"),
    "body": ("item:Body",),
    "content": ("item:Body",),
    "contents": ("item:Body",),
    "attachment": ("item:Attachments",),
    "attachments": ("item:Attachments",),
    "attachmentnames": ("item:Attachments",),
    "category": ("item:Categories",),
    "keywords": ("item:Categories",),
    "location": ("calendar:Location",),
    "organizer": ("calendar:Organizer",),
    "messageclass": ("item:ItemClass",),
    "company": ("contacts:CompanyName",),
    "firstname": ("contacts:GivenName",),
    "lastname": ("contacts:Surname",),
}
_ANYWHERE = ("item:Subject", "item:Body", "message:From", "message:ToRecipients", "message:CcRecipients", "item:Attachments",
             "contacts:DisplayName", "contacts:CompanyName", "calendar:Location")  # fmt: skip
_DATES = {
    "received": "item:DateTimeReceived",
    "sent": "item:DateTimeSent",
    "date": "item:DateTimeReceived",
    "modified": "item:LastModifiedTime",
    "start": "calendar:Start",
    "end": "calendar:End",
    "due": "task:DueDate",
}
_TRUTHS = {
    "hasattachment": "item:HasAttachments",
    "hasattachments": "item:HasAttachments",
    "isread": "message:IsRead",
    "read": "message:IsRead",
}
_KINDS = {
    "email": ("Message", "MeetingRequest", "MeetingResponse", "MeetingCancellation"),
    "contacts": ("Contact", "DistributionList"),
    "meetings": ("CalendarItem", "MeetingRequest", "MeetingResponse", "MeetingCancellation"),
    "tasks": ("Task",),
    "notes": (STICKY_NOTE,),
    "posts": ("PostItem",),
}
_UNITS = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_SIZES = {"empty": (0, 1), "tiny": (1, 10 << 10), "small": (10 << 10, 25 << 10), "medium": (25 << 10, 1 << 20),
          "large": (1 << 20, 5 << 20), "huge": (5 << 20, 10 << 20), "enormous": (10 << 20, 1 << 62)}  # fmt: skip


def _kind(item_class: str) -> str:
    """The element, but for notes, which are shown as messages."""
    kind = kind_of(item_class)
    return STICKY_NOTE if kind.item_class == STICKY_NOTE else kind.element


class _NotUnderstood(Exception):
    """Of a term: it finds nothing."""


def compile_query(call: Call, text: str) -> Predicate:
    """Raises EwsError ErrorQueryFilterTooLong."""
    if len(text) > LIMIT:
        raise EwsError("ErrorQueryFilterTooLong")
    tokens = _TOKEN.findall(text)
    if len(tokens) > MOST_WORDS:
        raise EwsError("ErrorSearchQueryHasTooManyKeywords")
    parser = _Parser(call, tokens)
    try:
        found = parser.either("")
    except _NotUnderstood:
        return lambda _: False
    return found if not parser.left else lambda _: False


def words_of(call: Call, text: str) -> list[tuple[str, str]]:
    """The words and phrases of a query that texts are searched for, each with the keyword that it stands behind, "" for none."""
    parser = _Parser(call, _TOKEN.findall(text))
    try:
        parser.either("")
    except _NotUnderstood:
        return []
    return list(dict.fromkeys(parser.words))


def highlighted(call: Call, request: Mapping[str, Any]) -> dict[str, Any]:
    """HighlightTerms, where the request wants them."""
    query = request.get("QueryString") or {}
    if not query.get("@ReturnHighlightTerms") or not query.get(""):
        return {}
    return {"HighlightTerms": {"Term": [{"Scope": scope, "Value": word} for scope, word in words_of(call, query[""])]}}


class _Parser:
    def __init__(self, call: Call, tokens: list[str]) -> None:
        self.words: list[tuple[str, str]] = []
        self._call = call
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def left(self) -> bool:
        return self._place < len(self._tokens)

    def _peek(self) -> str:
        return self._tokens[self._place] if self.left else ""

    def _next(self) -> str:
        if not self.left:
            raise _NotUnderstood
        self._place += 1
        return self._tokens[self._place - 1]

    def either(self, keyword: str) -> Predicate:
        parts = [self._all(keyword)]
        while self._peek().upper() == "OR":
            self._next()
            parts.append(self._all(keyword))
        return parts[0] if len(parts) == 1 else lambda source: any(part(source) for part in parts)

    def _all(self, keyword: str) -> Predicate:
        parts = [self._not(keyword)]
        while self.left and self._peek() != ")" and self._peek().upper() != "OR":
            if self._peek().upper() == "AND":
                self._next()
            parts.append(self._not(keyword))
        return parts[0] if len(parts) == 1 else lambda source: all(part(source) for part in parts)

    def _not(self, keyword: str) -> Predicate:
        if self._peek().upper() == "NOT" or self._peek() == "-":
            self._next()
            inner = self._not(keyword)
            return lambda source: not inner(source)
        return self._term(keyword)

    def _term(self, keyword: str) -> Predicate:
        word = self._next()
        if word == "(":
            return self._bracket(keyword)
        if not keyword and self._peek() in (":", *_OPERATORS) and word.isalpha():
            if self._peek() == ":":
                self._next()
            if self._peek() == "(":
                self._next()
                return self._bracket(word.lower())
            return self._value(word.lower())
        self._place -= 1
        return self._value(keyword)

    def _bracket(self, keyword: str) -> Predicate:
        self._depth += 1
        if self._depth > 32:
            raise _NotUnderstood
        inner = self.either(keyword)
        if self._next() != ")":
            raise _NotUnderstood
        self._depth -= 1
        return inner

    def _value(self, keyword: str) -> Predicate:
        compare = ""
        if self._peek() in _OPERATORS:
            compare = self._next()
        text = self._next()
        if text in (")", ":", "("):
            raise _NotUnderstood
        quoted = text.startswith('"')
        text = text.strip('"')
        if keyword in _DATES:
            while not quoted and self._peek() == ":":  # a time of day was cut at its colons
                self._next()
                text += ":" + self._next()
            return self._date(_DATES[keyword], compare, text)
        return self._plain(keyword, compare, text, quoted=quoted)

    def _plain(self, keyword: str, compare: str, text: str, *, quoted: bool) -> Predicate:
        if keyword in _TRUTHS:
            return self._truth(_TRUTHS[keyword], text)
        if keyword == "size":
            return self._size(compare, text)
        if keyword == "importance":
            return self._equals("item:Importance", {"low": 0, "normal": 1, "medium": 1, "high": 2}.get(text.lower()))
        if keyword in ("isflagged", "flagged"):
            get = getter(self._call, Field("item:Flag"))
            wanted = _truth(text)
            return lambda source: (get(source) == "Flagged") is wanted
        if keyword == "kind":
            kinds = _KINDS.get(text.lower())
            if kinds is None:
                raise _NotUnderstood
            return lambda source: isinstance(source, Item) and _kind(source.item_class) in kinds
        if keyword and keyword not in _TEXT:
            raise _NotUnderstood
        self.words.append((keyword, text.rstrip("*")))
        return self._text(_TEXT.get(keyword, _ANYWHERE), text.rstrip("*"), exact=quoted)

    def _text(self, uris: tuple[str, ...], text: str, *, exact: bool) -> Predicate:
        getters = [getter(self._call, Field(uri)) for uri in uris]
        test = contains(text, "ExactPhrase" if exact else "PrefixOnWords", "IgnoreCaseAndNonSpacingCharacters")

        def found(source: Source) -> bool:
            for get in getters:
                got = get(source)
                if got is not None and any(map(test, got if isinstance(got, list) else [got])):
                    return True
            return False

        return found

    def _truth(self, uri: str, text: str) -> Predicate:
        get, wanted = getter(self._call, Field(uri)), _truth(text)
        return lambda source: bool(get(source)) is wanted

    def _equals(self, uri: str, value: int | None) -> Predicate:
        if value is None:
            raise _NotUnderstood
        get = getter(self._call, Field(uri))
        return lambda source: bool(get(source) == value)

    def _size(self, compare: str, text: str) -> Predicate:
        get = getter(self._call, Field("item:Size"))
        if text.lower() in _SIZES:
            low, high = _SIZES[text.lower()]
            return lambda source: low <= (get(source) or 0) < high
        low_text, dots, high_text = text.partition("..")
        least = _octets(low_text)
        if dots:
            most = _octets(high_text)
            return lambda source: least <= (get(source) or 0) <= most
        test = _OPERATORS[compare or "="]
        return lambda source: test(get(source) or 0, least)

    def _date(self, uri: str, compare: str, text: str) -> Predicate:
        get = getter(self._call, Field(uri))
        low_text, dots, high_text = text.partition("..")
        first, after = self._span(low_text)
        if dots:
            after = self._span(high_text)[1]
            compare = ""
        low, high = {
            "": (first, after),
            "=": (first, after),
            ">": (after, None),
            ">=": (first, None),
            "<": (None, first),
            "<=": (None, after),
        }[compare]

        def found(source: Source) -> bool:
            value = get(source)
            return value is not None and (low is None or value >= low) and (high is None or value < high)

        return found

    def _span(self, text: str) -> tuple[datetime, datetime]:
        """First moment, and the first behind it. Raises _NotUnderstood."""
        today = self._call.now().replace(hour=0, minute=0, second=0, microsecond=0)
        day, week = timedelta(days=1), today - timedelta(days=today.weekday())
        month = today.replace(day=1)
        last_month, year = (month - day).replace(day=1), today.replace(month=1, day=1)
        spans = {
            "today": (today, today + day),
            "yesterday": (today - day, today),
            "tomorrow": (today + day, today + 2 * day),
            "this week": (week, week + 7 * day),
            "last week": (week - 7 * day, week),
            "this month": (month, (month + 32 * day).replace(day=1)),
            "last month": (last_month, month),
            "this year": (year, year.replace(year=year.year + 1)),
            "last year": (year.replace(year=year.year - 1), year),
        }
        return spans.get(text.lower()) or _written(text)


def _written(text: str) -> tuple[datetime, datetime]:
    for pattern, length in (
        ("%Y-%m-%d", timedelta(days=1)),
        ("%m/%d/%Y", timedelta(days=1)),
        ("%m/%d/%y", timedelta(days=1)),
        ("%Y-%m-%dT%H:%M:%SZ", timedelta(seconds=1)),
        ("%Y-%m-%dT%H:%M:%S", timedelta(seconds=1)),
        ("%Y-%m-%dT%H:%M", timedelta(minutes=1)),
    ):
        try:
            first = datetime.strptime(text, pattern).replace(tzinfo=UTC)
            return first, first + length
        except (ValueError, OverflowError):
            continue
    raise _NotUnderstood


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise _NotUnderstood
    return text.lower() in ("true", "yes", "1")


def _octets(text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})\s*([kmg]?b)?", text.strip().lower())
    if not found:
        raise _NotUnderstood
    return int(found[1]) * _UNITS[found[2] or "b"]
