"""What no provider can see alone: two of them that serve the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.providers.configuration.problems import Code, Findings
from postroom.providers.configuration.tree import Node
from postroom.providers.configuration.values import Identifier, Wrong
from postroom.providers.contract import Direction

__all__ = ["Served", "between_providers"]


@dataclass(frozen=True, slots=True)
class Served:
    """One provider of the file, as far as it could be read. `settings`: the good fields of `ProviderSettings`. `identity`: "" when
    something is wrong with it."""

    path: str
    node: Node
    direction: Direction
    settings: Mapping[str, Any]
    identity: str


def between_providers(providers: Sequence[Served], findings: Findings) -> None:
    """CONFLICT, with both lines, for a user or queue that two providers of one direction serve in one organization (they would process
    the same mail, email-router-providers 7.2), and for two that are the same instance."""
    served: dict[tuple[object, ...], tuple[int, int]] = {}  # -> position of the provider, line
    known: dict[str, int] = {}
    for position, one in enumerate(providers):
        organization = one.settings.get("crm_server_url", "").rstrip("/").casefold()
        for what, name in (("user", "UserId"), ("queue", "QueueId")):
            for value, line in _identifiers(one.node, name):
                other, first = served.setdefault((what, one.direction, organization, value), (position, line))
                if other != position:
                    text = f"this {what} is served {one.direction} by another provider too, in line {first}"
                    findings.add(Code.CONFLICT, f"{one.path}/{name}", line, text, "remove one", also=(first,))
        if one.identity in known:
            first = known[one.identity]
            text = f"is the same mailbox or account as the provider in line {first}"
            remedy = "remove one, or give each a Name of its own"
            findings.add(Code.CONFLICT, one.path, one.node.line, text, remedy, also=(first,))
        if one.identity:
            known.setdefault(one.identity, one.node.line)


def _identifiers(node: Node, name: str) -> Iterator[tuple[UUID, int]]:
    """Those that are some; what is wrong with the others is told elsewhere."""
    for child in node.named(name):
        with suppress(Wrong):
            yield Identifier().parse(child.text), child.line
