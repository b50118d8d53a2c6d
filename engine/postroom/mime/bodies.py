"""From leaves to the body's text, its HTML, and the files (after RFC 8621 §4.1.4, where MIME itself is silent)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from postroom.mime import defects as flaws
from postroom.mime.charsets import clean_text, codec_for, decode
from postroom.mime.filenames import safe_filename
from postroom.mime.structure import Budget, Leaf
from postroom.mime.values import Attachment
from postroom.mime.words import clean

__all__ = ["Content", "gather", "unflow"]

_EXTENSIONS: Final[dict[str, str]] = {
    "application/pdf": "pdf",
    "application/pgp-encrypted": "asc",
    "application/pgp-signature": "asc",
    "application/pkcs7-mime": "p7m",
    "application/pkcs7-signature": "p7s",
    "application/x-pkcs7-mime": "p7m",
    "application/x-pkcs7-signature": "p7s",
    "application/zip": "zip",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/rfc822-headers": "txt",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
}
_STEMS: Final = {
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
    "message/delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/rfc822": "message.eml",
    "text/calendar": "invite.ics",
    "text/rfc822-headers": "headers.txt",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
}
_META: Final = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_MAX_CONTENT_ID: Final = 998


@dataclass(slots=True)
class Content:
    """What the message holds. `text` and `html` are None when there is no such part."""

    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class _Pieces:
    """The texts of one kind. Within one multipart/alternative a later branch replaces an earlier one; texts side by side are joined."""

    found: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, alternative: int, branch: int, text: str) -> None:
        if alternative:
            others = [one for one in self.found if one[0] == alternative and one[1] != branch]
            if others and not text.strip():
                return
            if others:
                self.found = [one for one in self.found if one not in others]
        self.found.append((alternative, branch, text))

    def joined(self) -> str | None:
        if not self.found:
            return None
        if len(self.found) == 1:
            return self.found[0][2]
        return "\n".join(text.removesuffix("\n") for _, _, text in self.found) + "\n"


def gather(leaves: list[Leaf], budget: Budget, defects: flaws.Defects) -> Content:
    """Bodies and files in document order. Out of time, texts are kept as files, undecoded."""
    content = Content()
    texts, htmls = _Pieces(), _Pieces()
    for leaf in leaves:
        if _is_body(leaf) and not budget.spent:
            pieces = htmls if leaf.content_type == "text/html" else texts
            pieces.add(leaf.slot.alternative, leaf.slot.branch, _text(leaf, defects))
        else:
            content.attachments.append(_attachment(leaf, len(content.attachments) + 1))
    if budget.spent:
        defects.add(flaws.TOO_SLOW)
    content.text, content.html = texts.joined(), htmls.joined()
    return content


def _is_body(leaf: Leaf) -> bool:
    if (
        leaf.opaque
        or leaf.content_type not in ("text/plain", "text/html")
        or leaf.disposition.value == "attachment"
        or not leaf.slot.root
    ):
        return False
    return (leaf.slot.first and leaf.disposition.value != "inline") or not _raw_name(leaf)


def _raw_name(leaf: Leaf) -> str:
    return leaf.disposition.get("filename") or leaf.parameters.get("name")


def _text(leaf: Leaf, defects: flaws.Defects) -> str:
    charset = leaf.parameters.get("charset")
    if leaf.content_type == "text/html" and codec_for(charset) in (None, ""):
        meta = _META.search(leaf.octets, 0, 2_048)
        charset = meta[1].decode("ascii") if meta and codec_for(meta[1].decode("ascii")) else charset
    text, fits = decode(leaf.octets, charset)
    if not fits:
        defects.add(flaws.UNKNOWN_CHARSET if codec_for(charset) is None else flaws.BAD_CHARACTERS)
    text = clean_text(text)
    if leaf.content_type == "text/plain" and leaf.parameters.get("format").lower() == "flowed":
        text = unflow(text, delsp=leaf.parameters.get("delsp").lower() == "yes")
    return text


def unflow(text: str, *, delsp: bool = False) -> str:
    """format=flowed into whole paragraphs (RFC 3676 §4): space-stuffing off, lines that end with a blank joined to the next of the same quote
    depth, the signature line `-- ` left alone. Quoted lines keep one `>` a level and a blank."""
    lines: list[str] = []
    pending: list[str] = []
    depth = 0

    def flush() -> None:
        if pending:
            lines.append(("> " if depth == 1 else ">" * depth + " " if depth else "") + "".join(pending))
            pending.clear()

    for line in text.split("\n"):
        bare = line.lstrip(">")
        level = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        if level != depth or bare == "-- ":
            flush()
        depth = level
        flowed = bare.endswith(" ") and bare != "-- "
        pending.append(bare[:-1] if flowed and delsp else bare)
        if not flowed:
            flush()
    flush()
    return "\n".join(lines)


def _attachment(leaf: Leaf, number: int) -> Attachment:
    content_id = "".join(clean(leaf.content_id).split())[:_MAX_CONTENT_ID]
    disposition = leaf.disposition.value
    inline = disposition == "inline" or (bool(content_id) and not leaf.slot.root and disposition != "attachment")
    return Attachment(_label(leaf, number), leaf.content_type, leaf.octets, content_id, inline)


def _label(leaf: Leaf, number: int) -> str:
    """The sender's name for the file made safe, else one of ours."""
    return (
        safe_filename(_raw_name(leaf))
        or _STEMS.get(leaf.content_type)
        or f"attachment-{number}.{_EXTENSIONS.get(leaf.content_type, 'bin')}"
    )
