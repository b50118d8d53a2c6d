"""The bodies of an item in the kind that was asked for (ews reference 7)."""

from __future__ import annotations

import re
from typing import Any

from postroom_simulator.ews.items.html import cleaned, html_of, preview, text_of, unique_html, unique_text
from postroom_simulator.ews.shapes import Shape

__all__ = ["body_in", "normalized_body", "preview_of", "text_body", "unique_body"]

Value = dict[str, Any]
_CHARSET = re.compile(r"""(<meta\b[^<>]{0,300}?charset\s{0,9}=\s{0,9}["']?)([A-Za-z0-9_.:-]{1,60})""", re.IGNORECASE)
_HEAD = 10_000
"""Characters of HTML in which its character set is looked for (our choice)."""


def body_in(body: Value | None, shape: Shape) -> Value | None:
    """As BodyType says, cleaned where asked, cut at MaximumBodySize."""
    if body is None:
        return None
    return _cut(_cleaned(_in_utf_8(_as(body, shape.body), shape), shape), shape.max_body)


def _in_utf_8(body: Value, shape: Shape) -> Value:
    """HTML names the character set that it is in now (ConvertHtmlCodePageToUTF8, true unless said otherwise; MS-OXWSCDATA 2.2.4.38)."""
    if body["@BodyType"] != "HTML" or shape.code_page:
        return body
    head, rest = body[""][:_HEAD], body[""][_HEAD:]
    return body | {"": _CHARSET.sub(r"\g<1>utf-8", head, count=1) + rest}


def text_body(body: Value | None) -> Value | None:
    return _as(body, "Text") if body is not None else None


def unique_body(body: Value | None, shape: Shape) -> Value | None:
    """What is new in a message: without the text that it answers."""
    if body is None:
        return None
    kind = body["@BodyType"]
    unique = {"@BodyType": kind, "": (unique_html if kind == "HTML" else unique_text)(body[""])}
    return _cleaned(_as(unique, shape.unique_body or "HTML"), shape)


def normalized_body(body: Value | None, shape: Shape) -> Value | None:
    """The body as HTML that does no harm."""
    if body is None:
        return None
    given = _as(body, shape.normalized_body or "HTML")
    return _cut(given | {"": cleaned(given[""])} if given["@BodyType"] == "HTML" else given, shape.max_body)


def preview_of(body: Value | None) -> str | None:
    if body is None:
        return None
    short = body[""][:200_000]  # enough for 256 characters of any text that is meant to be read
    return preview(text_of(short) if body["@BodyType"] == "HTML" else short) or None


def _as(body: Value, kind: str) -> Value:
    stored = body["@BodyType"]
    if kind in ("Best", stored):
        return {"@BodyType": stored, "": body[""]}
    if kind == "HTML":
        return {"@BodyType": "HTML", "": html_of(body[""])}
    return {"@BodyType": "Text", "": text_of(body[""])}


def _cleaned(body: Value, shape: Shape) -> Value:
    if body["@BodyType"] != "HTML" or not (shape.clean or shape.blank_targets or shape.block_images):
        return body
    text = cleaned(body[""], active=shape.clean, blank_targets=shape.blank_targets, block_images=shape.block_images)
    return body | {"": text}


def _cut(body: Value, most: int | None) -> Value:
    if most is None or most < 0 or len(body[""]) <= most:
        return body
    return body | {"": body[""][:most], "@IsTruncated": True}
