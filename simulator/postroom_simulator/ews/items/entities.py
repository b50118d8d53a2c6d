"""What a message mentions: addresses of the web, of mail and of houses, telephone numbers (ews reference 7; published description of
EntityExtractionResult). Real servers guess with a trained model, suggestions of meetings and tasks and contacts too; here plain patterns find what
is written in a common form, and those suggestions are not made (our choice)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from postroom_simulator.ews.items.html import text_of, unique_text

__all__ = ["entities"]

Value = dict[str, Any]
_READ = 200_000
"""Characters of a text that are looked at (our choice)."""
_MOST = 100
"""Entities of a kind that are told (our choice)."""

_URL = re.compile(r"\b(?:https?://[^\s<>\"'`{}|\\^]{1,2000}|www\.[A-Za-z0-9-]{1,63}\.[^\s<>\"'`{}|\\^]{1,2000})", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE = re.compile(r"(?<![\w.,/-])\+?\(?\d[\d ().-]{5,20}\d(?![\w/])")
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d{4}")
_WORD = r"[A-Z][\w.']{0,30}"
_HOUSE = re.compile(
    rf"\b\d{{1,6}} (?:{_WORD} ){{1,4}}?(?:Street|St|Avenue|Ave|Road|Rd|Way|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Square|Place)\b\.?"
    rf"(?:, {_WORD}(?: {_WORD}){{0,2}})?(?:, [A-Z]{{2}}\b)?(?: \d{{5}}(?:-\d{{4}})?\b)?"
)
_SIGNATURE = re.compile(r"^-- ?\r?$", re.MULTILINE)


def _urls(text: str) -> Iterable[str]:
    return (found.rstrip(".,;:!?)]") for found in _URL.findall(text))


def _mails(text: str) -> Iterable[str]:
    return (found.rstrip(".-") for found in _MAIL.findall(_URL.sub(" ", text)))


def _plain(text: str) -> str:
    return _MAIL.sub(" ", _URL.sub(" ", text))


def _phones(text: str) -> Iterable[str]:
    found = (one for one in _PHONE.findall(_plain(text)) if not _DATE.match(one))
    return (one for one in found if 7 <= sum(map(str.isdigit, one)) <= 15)


def _houses(text: str) -> Iterable[str]:
    return _HOUSE.findall(_plain(text))


def _phone(text: str) -> Value:
    plus = "+" if text.startswith("+") else ""
    return {
        "OriginalPhoneString": text,
        "PhoneString": plus + "".join(filter(str.isdigit, text)),
        "Type": "Unspecified",
    }


_KINDS: tuple[tuple[str, str, Callable[[str], Iterable[str]], Callable[[str], Value]], ...] = (
    ("Addresses", "AddressEntity", _houses, lambda text: {"Address": text}),
    ("EmailAddresses", "EmailAddressEntity", _mails, lambda text: {"EmailAddress": text}),
    ("Urls", "UrlEntity", _urls, lambda text: {"Url": text}),
    ("PhoneNumbers", "Phone", _phones, _phone),
)
"""Element, the one inside it, what finds such things in a text, and what is told of one."""


def entities(properties: Mapping[str, Any]) -> Value | None:
    """An EntityExtractionResultType; None where nothing was found."""
    parts = _parts(str(properties.get("Subject") or ""), properties.get("Body") or {})
    value: Value = {}
    for element, inner, find, tell in _KINDS:
        found: dict[str, list[str]] = {}
        for position, text in parts.items():
            for one in find(text):
                here = found.setdefault(one, [])
                if position not in here and not (position == "Other" and set(here) & {"LatestReply", "Signature"}):
                    here.append(position)
        if found:
            told = list(found.items())[:_MOST]
            value[element] = {inner: [{"Position": positions, **tell(text)} for text, positions in told]}
    return value or None


def _parts(subject: str, body: Mapping[str, Any]) -> dict[str, str]:
    """Texts by EmailPositionType; "Other" is the whole, with what is quoted."""
    text = str(body.get("") or "")[:_READ]
    whole = text_of(text) if body.get("@BodyType") == "HTML" else text
    latest = unique_text(whole)
    sign = _SIGNATURE.search(latest)
    own, below = (latest[: sign.start()], latest[sign.end() :]) if sign is not None else (latest, "")
    return {"LatestReply": own, "Subject": subject[:1000], "Signature": below, "Other": whole}
