"""File names as labels: nothing that a path, a terminal, a response header or Windows could take for more (mail-protocol-pitfalls 4.5)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_FILENAME_OCTETS", "safe_filename"]

MAX_FILENAME_OCTETS: Final = 150

_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BAD: Final = re.compile('[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff<>:"|?*]')
_BLANKS: Final = re.compile(r"\s+")
_DRIVE: Final = re.compile(r"^(?:[A-Za-z]:)+")
_DEVICES: Final = re.compile(r"^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ .]*(?:\.|$)", re.IGNORECASE)
_RAW_LIMIT: Final = 4_096


def safe_filename(name: str) -> str:
    """The last component without drive, controls, bidi marks, trailing dots and blanks; device names get a `_` in front; at most 150 octets of
    UTF-8, the extension kept. Empty when nothing usable is left. Applying it twice changes nothing."""
    name = _BIDI.sub("", name[-_RAW_LIMIT:])
    name = re.sub("[\r\n\t\x00]", "", name)
    components = [piece for piece in re.split(r"[/\\]", name) if piece.strip(". \t")]
    label = components[-1] if components else ""
    label = _BAD.sub("_", _DRIVE.sub("", label.strip()))
    label = _trim(_BLANKS.sub(" ", label))
    if _DEVICES.match(label):
        label = "_" + label
    return _trim(_cap(label))


def _trim(label: str) -> str:
    label = label.strip().rstrip(". ")
    return label.replace("..", "_") if ".." in label else label


def _cap(label: str) -> str:
    if len(label.encode("utf-8")) <= MAX_FILENAME_OCTETS:
        return label
    stem, dot, extension = label.rpartition(".")
    if not dot or not stem or len(extension.encode("utf-8")) > 20:
        stem, extension = label, ""
    room = MAX_FILENAME_OCTETS - (len(extension.encode("utf-8")) + 1 if extension else 0)
    cut = stem.encode("utf-8")[:room].decode("utf-8", "ignore").rstrip(". ")
    return f"{cut}.{extension}" if extension else cut
