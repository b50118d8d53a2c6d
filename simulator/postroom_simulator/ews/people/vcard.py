"""Contacts as vCards 3.0 (RFC 2426) and back; vCards 2.1 and 4.0 are read too (ews reference 7: MimeContent of contacts).

Written by hand; read by vobject. What a contact has no place for is dropped.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from postroom_simulator.ews.codec import moment

__all__ = ["LIMIT", "read_vcard", "write_vcard"]

Value = dict[str, Any]
LIMIT = 8 * 1024 * 1024
"""Octets of one vCard (our choice)."""
_LINES = 20_000
_PHOTO_NAME = "ContactPicture.jpg"

_PHONES: Mapping[str, tuple[str, ...]] = {
    "BusinessPhone": ("WORK", "VOICE"),
    "BusinessPhone2": ("WORK", "VOICE"),
    "BusinessFax": ("WORK", "FAX"),
    "HomePhone": ("HOME", "VOICE"),
    "HomePhone2": ("HOME", "VOICE"),
    "HomeFax": ("HOME", "FAX"),
    "MobilePhone": ("CELL",),
    "Pager": ("PAGER",),
    "CarPhone": ("CAR",),
    "Isdn": ("ISDN",),
    "PrimaryPhone": ("PREF",),
    "OtherFax": ("FAX",),
    "OtherTelephone": ("VOICE",),
}
"""TYPE of each kind of number; kinds that are not here have an X- property of their own."""
_X_PHONES = {
    "AssistantPhone": "X-MS-TEL-ASSISTANT",
    "Callback": "X-MS-TEL-CALLBACK",
    "CompanyMainPhone": "X-MS-TEL-COMPANY",
    "RadioPhone": "X-MS-TEL-RADIO",
    "Telex": "X-MS-TEL-TELEX",
    "TtyTddPhone": "X-MS-TEL-TTYTDD",
}
_ADDRESSES = {"Business": "WORK", "Home": "HOME", "Other": ""}
_PARTS = ("Street", "City", "State", "PostalCode", "CountryOrRegion")
_TEXTS = {
    "NICKNAME": "Nickname",
    "TITLE": "JobTitle",
    "ROLE": "Profession",
    "URL": "BusinessHomePage",
    "X-MS-MANAGER": "Manager",
    "X-MS-ASSISTANT": "AssistantName",
    "X-MS-SPOUSE": "SpouseName",
    "X-MS-OFFICE": "OfficeLocation",
}
_PICTURES = frozenset({"BMP", "GIF", "JPEG", "JPG", "PNG", "TIFF", "WEBP"})
_CLASSES = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "PUBLIC": "Normal"}


# -- writing


def write_vcard(value: Mapping[str, Any], *, uid: str, revised: datetime) -> bytes:
    """Octets in UTF-8 with CR LF, lines folded at 75 octets (RFC 2426 §2.6)."""
    lines = ["BEGIN:VCARD", "PROFILE:VCARD", "VERSION:3.0", "MAILER:Postroom", "PRODID:Postroom"]
    lines += [f"{name}:{text}" for name, text in _fields(value)]
    lines += [f"REV:{revised.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", f"UID:{uid}", "END:VCARD"]
    return b"".join(_folded(line) for line in lines)


def _fields(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = (value.get("CompleteName") or {}).get("Title", "")
    parts = (value.get("Surname"), value.get("GivenName"), value.get("MiddleName"), name, value.get("Generation"))
    yield "FN", _escaped(value.get("DisplayName") or value.get("FileAs") or "")
    yield "N", ";".join(_escaped(part or "") for part in parts)
    for field, element in _TEXTS.items():
        if value.get(element):
            yield field, _escaped(str(value[element]))
    if value.get("CompanyName") or value.get("Department"):
        yield "ORG", ";".join(_escaped(part) for part in (value.get("CompanyName") or "", value.get("Department") or ""))
    for entry in _entries(value, "EmailAddresses"):
        yield "EMAIL;TYPE=INTERNET" + (",PREF" if entry["@Key"] == "EmailAddress1" else ""), _escaped(entry[""])
    for entry in _entries(value, "PhoneNumbers"):
        kind = entry["@Key"]
        yield (f"TEL;TYPE={','.join(_PHONES[kind])}" if kind in _PHONES else _X_PHONES[kind]), _escaped(entry[""])
    for entry in _entries(value, "PhysicalAddresses"):
        kind = _ADDRESSES[entry["@Key"]]
        texts = [_escaped(entry.get(part) or "") for part in _PARTS]
        yield f"ADR;TYPE={kind or 'POSTAL'}", ";".join(["", "", *texts])
    for entry in _entries(value, "ImAddresses"):
        yield "X-MS-IMADDRESS", _escaped(entry[""])
    for field, element in (("BDAY", "Birthday"), ("X-MS-ANNIVERSARY", "WeddingAnniversary")):
        if value.get(element) is not None:
            yield field, f"{value[element]:%Y-%m-%d}"
    yield from _rest(value)


def _rest(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    body = (value.get("Body") or {}).get("", "")
    if body and (value.get("Body") or {}).get("@BodyType") != "HTML":
        yield "NOTE", _escaped(body)
    categories = (value.get("Categories") or {}).get("String") or ()
    if categories:
        yield "CATEGORIES", ",".join(_escaped(one) for one in categories)
    for one in ((value.get("Children") or {}).get("String")) or ():
        yield "X-MS-CHILD", _escaped(one)
    words = {word: name for name, word in _CLASSES.items()}
    yield "CLASS", words.get(value.get("Sensitivity", "Normal"), "PRIVATE")
    for _, attachment in value.get("Attachments") or ():
        content = attachment.get("Content")
        if attachment.get("IsContactPhoto") and isinstance(content, bytes):
            kind = (attachment.get("ContentType") or "image/jpeg").rpartition("/")[2].upper()
            yield f"PHOTO;TYPE={kind if kind.isalnum() else 'JPEG'};ENCODING=B", base64.b64encode(content).decode("ascii")
            return


def _entries(value: Mapping[str, Any], collection: str) -> Sequence[Value]:
    found: Sequence[Value] = (value.get(collection) or {}).get("Entry", ())
    return found


def _escaped(text: str) -> str:
    text = "".join(c for c in text.replace("\r\n", "\n").replace("\r", "\n") if c.isprintable() or c in "\n\t")
    for plain, written in (("\\", "\\\\"), ("\n", "\\n"), (",", "\\,"), (";", "\\;")):
        text = text.replace(plain, written)
    return text


def _folded(line: str) -> bytes:
    octets = line.encode("utf-8", "replace")
    parts = []
    limit = 75
    while len(octets) > limit:
        end = limit
        while octets[end] & 0xC0 == 0x80:  # never inside a character
            end -= 1
        parts.append(octets[:end])
        octets, limit = octets[end:], 74
    return b"\r\n ".join([*parts, octets]) + b"\r\n"


# -- reading


def read_vcard(octets: bytes) -> Value:
    """Elements of ContactItemType, the photo under "Attachments". Raises ValueError for what is no vCard."""
    import vobject

    logging.getLogger(
        "vobject.base"
    ).disabled = True  # it writes lines that it cannot read, which are somebody's data, to standard error
    if len(octets) > LIMIT or octets.count(b"\n") > _LINES:
        raise ValueError("it is too long")
    text = octets.decode("utf-8-sig", "replace")
    try:
        card = vobject.readOne(text, ignoreUnreadable=True)
    except Exception as wrong:  # the parser has no one error of its own
        raise ValueError(str(wrong)[:200] or type(wrong).__name__) from None
    if card is None or card.name != "VCARD":
        raise ValueError("there is no vCard in it")
    return _Reader(card.contents).read()


class _Reader:
    """The lines of one card, by name in lower case."""

    def __init__(self, contents: Mapping[str, Sequence[Any]]) -> None:
        self._contents = contents
        self._value: Value = {}

    def read(self) -> Value:
        self._names()
        for field, element in _TEXTS.items():
            text = self._text(field.lower())
            if text:
                self._value[element] = text
        self._collections()
        self._dates()
        note, categories = self._text("note"), self._list("categories")
        if note:
            self._value["Body"] = {"@BodyType": "Text", "": note}
        if categories:
            self._value["Categories"] = {"String": categories}
        children = [str(line.value) for line in self._contents.get("x-ms-child", ())]
        if children:
            self._value["Children"] = {"String": children}
        sensitivity = _CLASSES.get(self._text("class").upper())
        if sensitivity:
            self._value["Sensitivity"] = sensitivity
        self._photo()
        return self._value

    def _text(self, name: str) -> str:
        lines = self._contents.get(name, ())
        found = lines[0].value if lines else ""
        return found.strip() if isinstance(found, str) else " ".join(map(str, found)) if isinstance(found, list) else str(found)

    def _list(self, name: str) -> list[str]:
        found: list[str] = []
        for line in self._contents.get(name, ()):
            found += line.value if isinstance(line.value, list) else str(line.value).split(",")
        return [one.strip() for one in found if one.strip()]

    def _names(self) -> None:
        shown = self._text("fn")
        if shown:
            self._value["DisplayName"] = shown
        for line in self._contents.get("n", ())[:1]:
            parts = (("Surname", "family"), ("GivenName", "given"), ("MiddleName", "additional"), ("Generation", "suffix"))
            for element, part in parts:
                text = _plain(getattr(line.value, part, ""))
                if text:
                    self._value[element] = text
            title = _plain(getattr(line.value, "prefix", ""))
            if title:
                path = {"@PropertyTag": "0x3a45", "@PropertyType": "String"}
                self._value["ExtendedProperty"] = [{"ExtendedFieldURI": path, "Value": title}]
        organisation = self._contents.get("org", ())
        if organisation:
            units = organisation[0].value if isinstance(organisation[0].value, list) else [organisation[0].value]
            texts = [str(one).strip() for one in units]
            self._value |= {name: text for name, text in zip(("CompanyName", "Department"), texts, strict=False) if text}

    def _collections(self) -> None:
        mails = [
            str(line.value).strip() for line in sorted(self._contents.get("email", ()), key=lambda one: not _preferred(one))
        ]
        self._entries("EmailAddresses", [(f"EmailAddress{n}", text) for n, text in enumerate(filter(None, mails), 1) if n <= 3])
        chats = [str(line.value).strip() for name in ("x-ms-imaddress", "impp") for line in self._contents.get(name, ())]
        self._entries("ImAddresses", [(f"ImAddress{n}", text) for n, text in enumerate(filter(None, chats), 1) if n <= 3])
        numbers: dict[str, str] = {}
        for line in self._contents.get("tel", ()):
            kinds = _kinds_of_phone(_types(line))
            kind = next((one for one in kinds if one not in numbers), None)
            if kind is not None:
                numbers[kind] = str(line.value).removeprefix("tel:").strip()
        for kind, field in _X_PHONES.items():
            if self._text(field.lower()):
                numbers[kind] = self._text(field.lower())
        self._entries("PhoneNumbers", list(numbers.items()))
        self._addresses()

    def _entries(self, collection: str, found: list[tuple[str, str]]) -> None:
        if found:
            self._value[collection] = {"Entry": [{"@Key": key, "": text} for key, text in found if text]}

    def _addresses(self) -> None:
        found: dict[str, Value] = {}
        for line in self._contents.get("adr", ()):
            types = _types(line)
            key = "Business" if "WORK" in types else "Home" if "HOME" in types else "Other"
            parts = ("street", "city", "region", "code", "country")
            texts = {name: _plain(getattr(line.value, part, "")) for name, part in zip(_PARTS, parts, strict=True)}
            entry = {name: text for name, text in texts.items() if text}
            if entry and key not in found:
                found[key] = {"@Key": key, **entry}
        if found:
            self._value["PhysicalAddresses"] = {"Entry": list(found.values())}

    def _dates(self) -> None:
        for names, element in (
            (("bday",), "Birthday"),
            (("x-ms-anniversary", "anniversary", "x-anniversary"), "WeddingAnniversary"),
        ):
            text = next((self._text(name) for name in names if self._text(name)), "")
            if len(text) == 8 and text.isdigit():
                text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
            try:
                found = moment(text) if text else None
            except ValueError:  # a year alone, or words: a contact has no place for it
                continue
            if found is not None:
                self._value[element] = found.replace(hour=11, minute=59, second=0, tzinfo=UTC)

    def _photo(self) -> None:
        for line in self._contents.get("photo", ())[:1]:
            content, kind = line.value, next((one for one in sorted(_types(line)) if one in _PICTURES), "JPEG").lower()
            if isinstance(content, str):
                head, comma, data = content.partition(",")
                if not (head.startswith("data:") and comma):
                    return  # the address of a picture: nothing is fetched
                content, kind = base64.b64decode(data), head[5:].partition(";")[0].rpartition("/")[2] or kind
            if not content:
                return
            photo = {"Name": _PHOTO_NAME, "ContentType": f"image/{kind}", "IsContactPhoto": True, "Content": bytes(content)}
            self._value["Attachments"] = [("FileAttachment", photo)]


def _plain(value: Any) -> str:
    return " ".join(map(str, value)).strip() if isinstance(value, list) else str(value or "").strip()


def _types(line: Any) -> set[str]:
    """TYPE parameters, and those of vCard 2.1 that stand without a name."""
    found = list(line.params.get("TYPE", ())) + list(getattr(line, "singletonparams", ()))
    return {part.strip().upper() for one in found for part in str(one).split(",")}


def _preferred(line: Any) -> bool:
    return "PREF" in _types(line)


def _kinds_of_phone(types: set[str]) -> tuple[str, ...]:
    """Places for a number, the fitting ones first."""
    if "FAX" in types:
        return ("BusinessFax",) if "WORK" in types else ("HomeFax",) if "HOME" in types else ("OtherFax",)
    for word, kind in (("CELL", "MobilePhone"), ("PAGER", "Pager"), ("CAR", "CarPhone"), ("ISDN", "Isdn")):
        if word in types:
            return (kind,)
    if "WORK" in types:
        return "BusinessPhone", "BusinessPhone2"
    if "HOME" in types:
        return "HomePhone", "HomePhone2"
    return ("PrimaryPhone",) if "PREF" in types else ("OtherTelephone", "PrimaryPhone")
