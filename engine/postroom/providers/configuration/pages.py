"""Words about a declaration: a Markdown table, a help text, and the page docs/router-configuration.md."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from postroom.providers.configuration.declaration import Declared, declaration
from postroom.providers.configuration.problems import Code
from postroom.providers.configuration.settings import PUBLISHED_OVERRIDES, ProviderSettings, SystemConfiguration

__all__ = ["help_text", "markdown", "router_page"]


def markdown(model: type) -> str:
    """A table with a row for each element, in the order of the declaration."""
    rows = ["| Element | Value | When absent | Meaning | Source |", "| --- | --- | --- | --- | --- |"]
    for one in declaration(model):
        cells = (f"`{one.name}`", _value(one), _absent(one), _meaning(one), one.source or "-")
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def help_text(model: type, width: int = 100) -> str:
    """For a terminal: each element with its type, its default and what it means."""
    lines: list[str] = []
    for one in declaration(model):
        lines.append(f"  {one.name}  ({_value(one)}; {_absent(one)})".replace("`", ""))
        lines += textwrap.wrap(_meaning(one).replace("`", ""), width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines) + "\n"


def _value(one: Declared) -> str:
    return one.kind.words + (", any number of times" if one.many else "")


def _absent(one: Declared) -> str:
    if one.required:
        return "required"
    if one.many or one.default is None or one.secret:
        return "none"
    return f"`{one.kind.render(one.default)}`" if one.kind.render(one.default) else "empty"


def _meaning(one: Declared) -> str:
    parts = [one.help or "-"]
    if one.identity:
        parts.append("part of the identity")
    if one.deprecated:
        parts.append(f"deprecated: {one.deprecated}")
    parts += [f"earlier: `{old}`" for old in one.was]
    return "; ".join(parts)


_CODES = {
    Code.XML: "not well-formed, cut short, too large (16 MiB), too deep (64), in another encoding, or not to be read",
    Code.DTD: "a document type: refused, so that no entity is ever expanded and nothing outside is read",
    Code.REQ: "required, and missing or empty",
    Code.TYPE: "not a value of its type",
    Code.RANGE: "too small, too large, too long",
    Code.ENUM: "none of the words that there are; a provider that cannot be used",
    Code.DUP: "twice what may stand once; the same user twice",
    Code.UNKNOWN: "an element or attribute that nothing reads: a warning, an error when strict; kept when the file is written again",
    Code.CONFLICT: "two things that exclude each other; both lines are told",
    Code.DEPRECATED: "an old element that still works: a warning",
}

_INTRODUCTION = """\
# The router's configuration file

Written by `python -m postroom.providers.configuration`, from the same declarations that read the file.

A `Configuration` holds one `SystemConfiguration`, then any number of `ProviderConfiguration` (email-router-providers reference 7). Order inside
these does not matter. Intervals are whole milliseconds. Words may be in any letter case; white space around a value does not count, except in a
secret. The file is UTF-8, or UTF-16, ISO-8859-1, Windows-1252 or US-ASCII when it says so. The column *Source* names the section of that
reference; *ours* is our own, and of an *unconfirmed spelling* only the meaning is documented. `Postroom` reads a file whole or not at all:

    from postroom.providers.configuration import validate
    file, problems = validate("EmailAgent.xml")

`problems` holds everything that is wrong at once, with code, path, line and remedy. A value is never repeated in them.

```xml
<Configuration>
  <SystemConfiguration>
    <MaxThreads>50</MaxThreads>
    <ProviderOverrides>
      <BatchSize>5</BatchSize>
    </ProviderOverrides>
  </SystemConfiguration>
  <ProviderConfiguration>
    <ProviderClassName>pop3</ProviderClassName>
    <EmailServer>pop.example.com</EmailServer>
    <EmailPort>995</EmailPort>
    <EmailUser>sales</EmailUser>
    <EmailPassword>...</EmailPassword>
    <UserId>9a6c6b4e-0f39-4a0a-8f43-5a3d1b1c2d3e</UserId>
  </ProviderConfiguration>
</Configuration>
```
"""

_OVERRIDES = f"""\
## ProviderOverrides

Inside `SystemConfiguration`: elements whose values apply to every provider that has such an element. Published were
{", ".join(f"`{name}`" for name in PUBLISHED_OVERRIDES)}; any other works that is neither repeated nor secret nor part of the identity.

The original's precedence is not documented. `ProviderOverridesPrecedence` sets it: `ProviderFirst` (the provider's element, then the override, then
the default) or, for compatibility with what the name implies, `OverridesFirst`. Where each value came from is kept: `entry.origins["BatchSize"]`.
"""

_IDENTITY = """\
## Identity, and what a new file changes

An instance is its identity: SHA-256 over the provider's name and the elements marked *part of the identity*, trimmed and in one letter case; empty
ones are left out. State belongs to it, so a new password or another period keeps the state. Two providers with one identity are a `CONFLICT`; give
each a `Name`. So is a user or queue that two providers of one direction serve for the same `CrmServerUrl`. `diff(old, new)` tells added, removed, changed
and unchanged instances.
"""


def router_page() -> str:
    """docs/router-configuration.md."""
    from postroom.providers.builtin.pop3 import Pop3Config
    from postroom.providers.builtin.smtp import SmtpConfig

    parts: list[str] = [_INTRODUCTION]
    sections: Sequence[tuple[str, type]] = (
        ("## SystemConfiguration", SystemConfiguration),
        ("## ProviderConfiguration: what all providers share", ProviderSettings),
        ("## ProviderConfiguration: `pop3`", Pop3Config),
        ("## ProviderConfiguration: `smtp`", SmtpConfig),
    )
    for title, model in sections:
        parts.append(f"{title}\n\n{markdown(model)}")
        if model is SystemConfiguration:
            parts.append(_OVERRIDES)
    parts.append(_IDENTITY)
    codes = "\n".join(f"| `{code}` | {text} |" for code, text in _CODES.items())
    parts.append(f"## Problems\n\n| Code | What is wrong |\n| --- | --- |\n{codes}\n")
    return "\n".join(parts)
