"""Bodies from HTML to text and back, cut, previewed and cleaned (ews reference 7). The rules are ours; real servers do not publish theirs."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from lxml import etree
from lxml import html as parser

__all__ = ["cleaned", "has_external_images", "html_of", "image_urls", "preview", "text_of", "unique_html", "unique_text"]

PREVIEW = 256
"""Characters of item:Preview (ews reference 7)."""

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_SILENT = frozenset(
    ["head", "script", "style", "title", "template", "noscript", "iframe", "object", "embed", "applet", "svg", "math"]
)
_ACTIVE = frozenset(
    [
        "script",
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "base",
        "form",
        "input",
        "button",
        "select",
        "textarea",
        "link",
        "meta",
    ]
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_QUOTED_TEXT = re.compile(
    r"^(?:-{2,}\s*(?:Original Message|Forwarded message)\s*-{2,}|On .{1,300}wrote:|_{20,}|From: .*\r?\n(?:Sent|Date|To): .*|>.*)[ \t]*\r?$",
    re.MULTILINE,
)
_QUOTED_HTML = re.compile(
    r"<(?:div[^>]{0,200}(?:id=\"?(?:divRplyFwdMsg|appendonsend)|class=\"?gmail_quote)|blockquote|hr\b)|-{2,}\s*Original Message\s*-{2,}",
    re.IGNORECASE,
)


_ENDS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
"""Tags behind which the parser would not look any more."""


_CID = re.compile(r"""(<img\b[^<>]*?\bsrc\s*=\s*["']?)cid:([^"'\s<>]+)""", re.IGNORECASE)


_ELSEWHERE = re.compile(r"""<img\b[^<>]*?\bsrc\s*=\s*["']?https?:""", re.IGNORECASE)


def has_external_images(markup: str) -> bool:
    """Whether it shows pictures that lie elsewhere."""
    return _ELSEWHERE.search(markup) is not None


def image_urls(markup: str, ids: Mapping[str, str], template: str) -> str:
    """Pictures that name a part of the message are named by a URL instead. `ids`: by content id in lower case."""

    def replaced(found: re.Match[str]) -> str:
        one = ids.get(unquote(found[2]).lower())
        url = template.replace("{id}", quote(one, safe="")) if one is not None else ""
        return found[1] + html.escape(url) if one is not None else found[0]

    return _CID.sub(replaced, markup)


def _parsed(text: str) -> Any:
    """The root, or None where there is nothing. Control characters that a parser refuses become spaces."""
    usable = "".join(c if c >= " " or c in "\t\r\n" else " " for c in text)
    usable = _ENDS.sub("", usable.encode("utf-8", "replace").decode("utf-8"))
    if not usable.strip():
        return None
    try:
        return parser.document_fromstring(usable.encode(), parser=parser.HTMLParser(encoding="utf-8", huge_tree=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def text_of(markup: str) -> str:
    """HTML as plain text, lines ended by CR LF."""
    root = _parsed(markup)
    if root is None:
        return ""
    out: list[str] = []
    exact = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        name = node.tag if isinstance(node.tag, str) else ""
        if event == "start":
            if _silent(node):
                continue
            exact += name == "pre"
            _begin(out, name)
            if node.text:
                _say(out, node.text, exact=bool(exact))
        else:
            if event == "end" and not _silent(node):
                exact -= name == "pre"
                _end(out, node, name)
            parent = node.getparent()
            if node.tail and parent is not None and not _silent(parent):
                _say(out, node.tail, exact=bool(exact))
    text = "".join(out)
    lines = [line.rstrip(" ") for line in text.replace("\xa0", " ").split("\n")]
    return "\r\n".join(lines).strip("\r\n")


def _silent(node: Any) -> bool:
    """Whether it is in what is not shown. The depth of what the parser makes is bounded."""
    return node.tag in _SILENT or any(one.tag in _SILENT for one in node.iterancestors())


def _begin(out: list[str], name: str) -> None:
    if name == "br":
        out.append("\n")
    elif name in _BLOCKS:
        _new_line(out)
        if name == "li":
            out.append("* ")
        elif name == "hr":
            out.append("________________________________\n")
    elif name in ("td", "th") and out and out[-1][-1:] not in ("\n", "\t", ""):
        out.append("\t")


def _end(out: list[str], node: Any, name: str) -> None:
    if name in _BLOCKS:
        _new_line(out)
        if name == "p":
            out.append("\n")
    elif name == "a":
        target = (node.get("href") or "").strip()
        if target.lower().startswith(("http://", "https://")) and target not in "".join(out[-3:]):
            out.append(f"<{target}>")


def _new_line(out: list[str]) -> None:
    while out and out[-1] == " ":
        out.pop()
    if out and not out[-1].endswith("\n"):
        out.append("\n")


def _say(out: list[str], text: str, *, exact: bool) -> None:
    if exact:
        out.append(text.replace("\r\n", "\n"))
        return
    text = _SPACES.sub(" ", text)
    if not out or out[-1][-1:] in ("\n", " ", "\t"):
        text = text.lstrip(" ")
    if text:
        out.append(text)


def html_of(text: str) -> str:
    """Plain text as a document of HTML that looks the same."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = "<br>\r\n".join(html.escape(line, quote=False).replace("  ", "&nbsp; ") for line in lines)
    head = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    return f'<html>\r\n<head>\r\n{head}\r\n</head>\r\n<body>\r\n<div class="PlainText">{shown}</div>\r\n</body>\r\n</html>\r\n'


def preview(text: str) -> str:
    """The first 256 characters, white space made single."""
    return " ".join(text[: 8 * PREVIEW].split())[:PREVIEW]


def unique_text(text: str) -> str:
    """A reply's text up to where what it answers begins."""
    found = _QUOTED_TEXT.search(text)
    return text[: found.start()].rstrip() if found else text


def unique_html(markup: str) -> str:
    """The same of HTML; what is cut open is closed again."""
    found = _QUOTED_HTML.search(markup)
    if found is None:
        return markup
    root = _parsed(markup[: found.start()])
    return str(etree.tostring(root, method="html", encoding="unicode")) if root is not None else ""


def cleaned(markup: str, *, active: bool = True, blank_targets: bool = False, block_images: bool = False) -> str:
    """`active`: without what runs or loads (FilterHtmlContent). `blank_targets`: links open a window of their own. `block_images`: images from
    elsewhere lose their address."""
    root = _parsed(markup)
    if root is None:
        return ""
    for node in list(root.iter(etree.Element)):
        name = str(node.tag)
        if active and name in _ACTIVE and name != "meta":
            node.drop_tree()
            continue
        for key, value in list(node.attrib.items()):
            reached = "".join(value.split()).lower()
            if active and (key.lower().startswith("on") or reached.startswith(("javascript:", "vbscript:", "data:text"))):
                del node.attrib[key]
        if block_images and name == "img" and (node.get("src") or "").lower().startswith(("http:", "https:", "//")):
            del node.attrib["src"]
        if blank_targets and name == "a":
            node.set("target", "_blank")
    return str(etree.tostring(root, method="html", encoding="unicode"))
