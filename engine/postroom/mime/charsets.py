"""Octets to text. Charset names are a sender's claim: a map and an allow-list decide which codec is used, never the name itself
(mail-protocol-pitfalls 4.4: `idna`, `utf-7`, `unicode_escape` are reachable through `bytes.decode`)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean_text", "codec_for", "decode", "decode_raw_header"]

_CODECS: Final[dict[str, str]] = {
    # What claims to be ASCII or Latin-1 is windows-1252 in practice (the WHATWG labels agree).
    **dict.fromkeys(
        [
            "iso-8859-1",
            "iso8859-1",
            "iso-8859-1-windows-3.1-latin-1",
            "latin1",
            "latin-1",
            "l1",
            "cp819",
            "ibm819",
            "windows-1252",
            "cp1252",
            "x-cp1252",
            "ansi",
            "8859-1",
        ],
        "cp1252",
    ),
    **dict.fromkeys(["utf-8", "utf8", "unicode-1-1-utf-8", "utf-8-bom", "x-utf-8", "utf-8mb4", "cp65001"], "utf-8"),
    **dict.fromkeys(
        ["gb2312", "gb-2312-80", "gb-2312", "gbk", "x-gbk", "cp936", "windows-936", "gb18030", "euc-cn", "csgb2312", "chinese"],
        "gb18030",
    ),
    "hz-gb-2312": "hz",
    **dict.fromkeys(["big5", "big5-hkscs", "cn-big5", "x-x-big5", "csbig5", "big-5"], "big5hkscs"),
    **dict.fromkeys(
        ["ks-c-5601-1987", "ks-c-5601", "ksc5601", "ksc-5601", "euc-kr", "cp949", "windows-949", "korean", "uhc", "iso-ir-149"],
        "cp949",
    ),
    "iso-2022-kr": "iso2022_kr",
    **dict.fromkeys(
        [
            "iso-2022-jp",
            "iso-2022-jp-1",
            "iso-2022-jp-2",
            "iso-2022-jp-3",
            "iso-2022-jp-ms",
            "cp50220",
            "cp50221",
            "csiso2022jp",
        ],
        "iso2022_jp_ext",
    ),
    **dict.fromkeys(["shift-jis", "shift-jisx0213", "sjis", "x-sjis", "ms-kanji", "windows-31j", "cp932", "ms932"], "cp932"),
    **dict.fromkeys(["euc-jp", "x-euc-jp", "eucjp"], "euc_jp"),
    **dict.fromkeys(["koi8-r", "koi8", "cskoi8r"], "koi8_r"),
    "koi8-u": "koi8_u",
    **dict.fromkeys(["iso-8859-9", "latin5"], "cp1254"),
    **dict.fromkeys(["iso-8859-11", "tis-620", "windows-874", "cp874"], "cp874"),
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-6-i": "iso8859_6",
    "latin2": "iso8859_2",
    "latin9": "iso8859_15",
    **{f"{prefix}125{n}": f"cp125{n}" for prefix in ("windows-", "cp", "x-cp") for n in (0, 1, 3, 4, 5, 6, 7, 8)},
    **{f"{prefix}{n}": f"cp{n}" for prefix in ("cp", "ibm", "ibm-") for n in (437, 850, 852, 855, 857, 858, 862, 866)},
    **dict.fromkeys(["macintosh", "mac", "x-mac-roman"], "mac_roman"),
    "x-mac-cyrillic": "mac_cyrillic",
    **dict.fromkeys(["utf-16", "unicode"], "utf-16"),
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}

_GUESS: Final = frozenset(
    {"", "us-ascii", "ascii", "ansi-x3.4-1968", "unknown-8bit", "x-unknown", "unknown", "8bit", "default", "binary"}
)
"""Names that say nothing about octets over 127."""

# No XML, JSON or SQL wants these: C0 but TAB, LF, CR; DEL; lone surrogates; the two non-characters that XML forbids.
_UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def codec_for(name: str) -> str | None:
    """The codec for a charset name as found in mail; "" when it has to be guessed, None when the name is not on the list."""
    label = name.strip(" \t\"'").split("*", 1)[0].lower().replace("_", "-")
    if label in _GUESS:
        return ""
    return _CODECS.get(label)


def _guess(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def decode(octets: bytes, charset: str) -> tuple[str, bool]:
    """Text, and whether the charset was known and every octet fitted. Never raises; no lone surrogates in the result."""
    codec = codec_for(charset)
    if not codec:
        if b"\x1b$" in octets:  # old Japanese mailers, unlabelled
            codec = "iso2022_jp_ext"
        else:
            return _guess(octets).removeprefix("\ufeff"), codec == ""
    try:
        return octets.decode(codec).removeprefix("\ufeff"), True
    except UnicodeError:
        return octets.decode(codec, "replace").removeprefix("\ufeff"), False


def clean_text(text: str) -> str:
    """A body: CRLF becomes LF, what databases and XML refuse becomes U+FFFD. A lone CR stays: it is no line end."""
    text = text.replace("\r\n", "\n")
    return _UNWANTED.sub("\ufffd", text) if _UNWANTED.search(text) else text


def decode_raw_header(octets: bytes) -> str:
    """A header's own octets: ASCII by rule, else UTF-8, else windows-1252 (mail-protocol-pitfalls 4.2); raw ISO-2022-JP is known by its escapes."""
    if b"\x1b$" in octets:
        return octets.decode("iso2022_jp_ext", "replace")
    return _guess(octets)
