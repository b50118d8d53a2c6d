"""From values to elements. What is unknown stays, at its place; so do comments, and every element whose value did not change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from postroom.errors import ConfigError
from postroom.providers.configuration.declaration import Declared, declaration
from postroom.providers.configuration.loading import Layer, Layers, Precedence, examine
from postroom.providers.configuration.problems import Findings
from postroom.providers.configuration.tree import COMMENT, Node

__all__ = ["REDACTED", "document", "element_of", "redacted"]

REDACTED = "..."
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (§2.2)."""


def element_of(tag: str, values: Sequence[Any], original: Node | None = None, layers: Layers | None = None) -> Node:
    """One element that holds all `values` (each an instance of a declared model). An element that the values would have without it
    is left out, unless `original` has it. Raises ConfigError for a value that a file cannot express."""
    layers = layers or Layers()
    wanted: dict[str, list[str] | None] = {}  # None: as it is
    names: dict[str, str] = {}
    for value in values:
        base = None if original is None else examine(type(value), original, Findings(), tag, layers)
        for declared in declaration(type(value)):
            texts = _wanted(declared, value, None if base is None else base.value, layers)
            if declared.name not in wanted or (wanted[declared.name] in (None, []) and texts is not None):
                wanted[declared.name] = texts
            names.update(dict.fromkeys((declared.name, *declared.was), declared.name))
    return _edited(tag, original, wanted, names)


def _wanted(declared: Declared, value: Any, base: Any, layers: Layers) -> list[str] | None:
    now = getattr(value, declared.attribute)
    if base is not None and now == getattr(base, declared.attribute):
        return None
    over = layers.overrides.get(declared.name) if declared.overridable else None
    without = declared.default if over is None else declared.kind.parse(over.text)
    if without is not MISSING and now == without:
        return []
    if over is not None and layers.precedence is Precedence.OVERRIDES_FIRST:
        raise ConfigError(f"{declared.name} cannot be set for one provider: {Layer.OVERRIDE} in line {over.line} decides")
    return declared.texts(now)


def _edited(tag: str, original: Node | None, wanted: Mapping[str, list[str] | None], names: Mapping[str, str]) -> Node:
    node = Node(tag)
    done: set[str] = set()
    if original is not None:
        node.attributes, node.line = original.attributes, original.line
        for child in original.children:
            name = names.get(child.tag)
            if name is None or wanted[name] is None:
                node.children.append(child)
            elif name not in done:
                done.add(name)
                node.children += [Node(name, child.line, text=text) for text in wanted[name] or ()]
    for name, texts in wanted.items():
        if name not in done:
            node.children += [Node(name, text=text) for text in texts or ()]
    return node


def document(root: Node) -> bytes:
    """The file: UTF-8, two blanks a level. Raises ConfigError for a character that XML cannot hold."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    _written(root, 0, lines)
    return ("\n".join(lines) + "\n").encode("utf-8")


def _written(node: Node, depth: int, lines: list[str]) -> None:
    blanks = "  " * depth
    if node.tag == COMMENT:
        lines.append(f"{blanks}<!--{node.text}-->")
        return
    attributes = "".join(f" {name}={quoteattr(_safe(value, node))}" for name, value in node.attributes.items())
    text = escape(_safe(node.text, node), {"\r": "&#13;"})
    if not node.children:
        lines.append(f"{blanks}<{node.tag}{attributes}>{text}</{node.tag}>" if text else f"{blanks}<{node.tag}{attributes}/>")
        return
    lines.append(f"{blanks}<{node.tag}{attributes}>{text.strip()}")
    for child in node.children:
        _written(child, depth + 1, lines)
    lines.append(f"{blanks}</{node.tag}>")


def _safe(text: str, node: Node) -> str:
    if UNWRITABLE.search(text):
        raise ConfigError(f"the value of {node.tag} holds a character that XML cannot hold")
    return text


def redacted(node: Node, models: Sequence[type]) -> Node:
    """A copy to show: secrets, everything unknown and all comments are hidden (an unknown element may be a misspelt password)."""
    shows = {name for model in models for one in declaration(model) if not one.secret for name in (one.name, *one.was)}
    copy = Node(node.tag, node.line)
    for child in node.elements():
        if child.tag in shows and next(child.elements(), None) is None:
            copy.children.append(Node(child.tag, child.line, text=child.text))
        else:
            copy.children.append(Node(child.tag, child.line, text=REDACTED))
    return copy
