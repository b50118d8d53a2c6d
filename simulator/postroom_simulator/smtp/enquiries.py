"""What VRFY, EXPN and HELP tell: RFC 5321 §3.5, §4.1.1.6 to §4.1.1.8. Pure: a directory and a text in, a reply out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from postroom_simulator.directory import Account, Directory, Group, fold
from postroom_simulator.smtp.addresses import AddressError, parse_path

__all__ = ["VAGUE", "expand", "help_text", "verify", "without_utf8_parameter"]

VAGUE = "252 cannot VRFY user, but will accept message and attempt delivery"
"""Who is here is not told (RFC 5321 §7.3)."""

MAX_LINES = 1_000
"""Members that one reply names (our choice)."""

_NOBODY = "550 5.1.1 nobody has this name or address here"


def verify(directory: Directory, text: str, *, utf8: bool = False, relays: bool = True) -> str:
    """Whose mailbox a user name or an address means. `utf8`: the client takes other than ASCII in the reply (RFC 6531 §3.7.4.2);
    `relays`: mail for people elsewhere is taken."""
    found = _find(directory, text)
    if isinstance(found, str):
        return found if relays or not found.startswith("252") else "550 5.7.1 relaying denied"
    if len(found) > 1:
        shown = _shown(found, utf8=utf8)
        return "553 5.1.4 ambiguous, possibly:\n" + "\n".join(shown) if shown else _NEEDS_UTF8
    (entry,) = found
    if isinstance(entry, Account) and entry.disabled:
        return "550 5.2.1 mailbox disabled"
    shown = _shown([entry], utf8=utf8)
    return f"250 2.1.5 {shown[0]}" if shown else _NEEDS_UTF8


def expand(directory: Directory, text: str, *, utf8: bool = False) -> str:
    """The members of a group, one level deep: a line each."""
    found = _find(directory, text)
    if isinstance(found, str):
        return _NOBODY if found.startswith("252") else found
    group = found[0]
    if not isinstance(group, Group):
        return "550 5.1.1 that is a user, not a list"
    if not group.members:
        return "550 5.2.4 the list is empty"
    shown = _shown((directory.resolve(address) or address for address in group.members[:MAX_LINES]), utf8=utf8)
    return "250 2.1.5 " + "\n".join(shown) if shown else _NEEDS_UTF8


def help_text(syntaxes: Mapping[str, str], topic: str | None) -> str:
    """All verbs, or the syntax of one."""
    if not topic:
        return "214 Supported commands: " + " ".join(sorted(syntaxes))
    syntax = syntaxes.get(topic.upper())
    return f"214 Syntax: {syntax}" if syntax else "504 no help for that: HELP lists the commands"


_NEEDS_UTF8 = "553 5.6.8 the name needs SMTPUTF8"


def _find(directory: Directory, text: str) -> list[Account | Group] | str:
    """Who is meant, several where a user name is ambiguous; or the reply that refuses."""
    text = text.strip(" ")
    if "@" not in text:
        name = text[1:-1] if text.startswith("<") and text.endswith(">") else text
        account = directory.find_login(name)
        found: list[Account | Group] = [account] if account is not None else list(directory.named(name))
        return found or _NOBODY
    try:
        # A name in front of the address is let pass: "Ann Smith <ann@sim.test>" (RFC 5321 §4.1.1.6).
        address, rest = parse_path(text[text.rindex("<") :] if text.endswith(">") and "<" in text else text)
        if rest:
            raise AddressError("one name or address is enough")
    except AddressError as error:
        return f"501 5.1.3 {error}"
    entry = directory.resolve(address)
    if entry is not None:
        return [entry]
    return _NOBODY if directory.is_local(address.rpartition("@")[2]) else VAGUE


def _shown(found: Iterable[Account | Group | str], *, utf8: bool) -> list[str]:
    """`Name <address>` each; a name that may not be said is left out, with an address that may not the list is empty."""
    lines = []
    for entry in found:
        address, name = (entry, "") if isinstance(entry, str) else (entry.address, entry.name)
        if not (utf8 or address.isascii()):
            return []
        lines.append(f"{name} <{address}>" if name and (utf8 or name.isascii()) else f"<{address}>")
    return lines


def without_utf8_parameter(text: str) -> tuple[str, bool]:
    """The argument of VRFY or EXPN without its SMTPUTF8 parameter, and whether it was there."""
    if fold(text).endswith(" smtputf8"):
        return text[: -len(" smtputf8")].rstrip(" "), True
    return text, False
