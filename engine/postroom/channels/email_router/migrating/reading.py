"""The files of a router, read as they are: whether the classes that they name are installed or not."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from postroom.channels.email_router.migrating.values import (
    RouterProfile,
    RouterSource,
)
from postroom.channels.email_router.state_files import KeptState, read_system_state
from postroom.model.secret import Secret
from postroom.providers.configuration.problems import Findings
from postroom.providers.configuration.tree import LARGEST, Node, parse
from postroom.providers.contract import Direction
from postroom.rules.router_migration import Protocol, protocol_of

__all__ = ["read_router"]


def read_router(agent: Path | str, state: Path | str | None = None, key: Path | str | None = None) -> RouterSource:
    """EmailAgent.xml, SystemState.xml and EncryptionKey.xml of a router. Never raises for what the files hold."""
    findings = Findings()
    octets = _octets(Path(agent), findings)
    root = parse(octets, findings) if octets is not None else None
    profiles = () if root is None else tuple(_profile(n, node) for n, node in enumerate(root.named("ProviderConfiguration"), 1))
    problems, notes = findings.problems(), list[str]()
    states: tuple[KeptState, ...] = ()
    if state is not None:
        inner = Findings()
        found = _octets(Path(state), inner)
        kept, wrong = ([], inner.problems()) if found is None else read_system_state(found)
        states, problems = tuple(kept), [*problems, *wrong]
        if wrong:
            notes.append("the thresholds cannot be read: each mailbox begins at the moment of the migration")
    if key is not None and Path(key).exists():
        notes.append(
            f"{Path(key).name} decrypts passwords that the original stored; they are not decrypted here: give them anew with"
            " the mailboxes or profiles that this plan names"
        )
    return RouterSource(profiles, states, tuple(problems), tuple(notes))


def _octets(path: Path, findings: Findings) -> bytes | None:
    from postroom.providers.configuration.problems import Code

    try:
        with path.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        findings.add(Code.XML, path.name, 0, f"cannot be read: {error.strerror}", "name the router's file")
        return None


def _profile(number: int, node: Node) -> RouterProfile:
    first = {child.tag: child.text.strip() for child in reversed(list(node.elements()))}

    def many(tag: str) -> tuple[str, ...]:
        return tuple(found for child in node.named(tag) if (found := _guid(child.text)))

    class_name, server = first.get("ProviderClassName", ""), first.get("EmailServer") or first.get("Target", "")
    protocol = protocol_of(class_name, server)
    port = first.get("EmailPort", "")
    tls = first.get("EmailTls", first.get("EmailUseSsl", "true")).casefold()
    password = first.get("EmailPassword", "")
    return RouterProfile(
        number,
        node.line,
        class_name[:500],
        first.get("ProviderAssembly", "")[:500],
        _direction(first.get("Direction", ""), class_name, protocol),
        protocol,
        first.get("Name", "")[:200],
        server[:2084],
        int(port) if port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536 else None,
        tls not in ("none", "false", "0"),
        first.get("EmailUser", "")[:320],
        Secret(password) if password else None,
        first.get("EmailAuthMode", "").casefold() == "anonymous",
        first.get("DeleteEmails", "").casefold() in ("true", "1"),
        first.get("IsForwardMailbox", "").casefold() in ("true", "1"),
        first.get("CrmServerUrl", "")[:500],
        many("UserId"),
        many("QueueId"),
    )


def _guid(text: str) -> str:
    try:
        return str(UUID(text.strip().strip("{}")))
    except ValueError:
        return ""


def _direction(said: str, class_name: str, protocol: Protocol) -> Direction:
    """As the file says; else by the protocol, or by the words of the class name [I]."""
    if said.casefold() in ("inbound", "outbound"):
        return Direction(said.casefold())
    return Direction.OUTBOUND if protocol is Protocol.SMTP or "send" in class_name.casefold() else Direction.INBOUND
