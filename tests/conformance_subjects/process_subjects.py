"""Providers in processes of their own, as the kit is told of them: the samples in shell and Node, and a Python provider that is isolated."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.process import foreign, isolated, sample
from postroom.testing.conformance.messages import SourceMessage
from postroom.testing.conformance.subject import Subject
from postroom.testing.conformance.world import KitWorld

__all__ = ["SUBJECTS", "FeedInNode", "FolderInShell", "Isolated"]


@cache
def _sample(program: str, name: str) -> type[Any]:
    return foreign([shutil.which(program) or program, str(sample(name))])


class FolderInShell(Subject):
    @property
    def provider(self) -> type[Any]:  # type: ignore[override]
        return _sample("sh", "folder.sh")

    def _folder(self, world: KitWorld) -> Path:
        return world.folder / f"mail-{world.mailbox}"

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {"Folder": str(self._folder(world))}

    def prepare(self, world: KitWorld) -> None:
        self._folder(world).mkdir()

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        for message in messages:
            (self._folder(world) / f"{message.number:06}-{message.token}.eml").write_bytes(message.octets)

    def missing(self, world: KitWorld) -> Mapping[str, str]:
        return {"Folder": str(self._folder(world) / "none")}

    def remaining(self, world: KitWorld) -> Sequence[bytes]:
        return [path.read_bytes() for path in sorted(self._folder(world).glob("*.eml"))]


class FeedInNode(Subject):
    @property
    def provider(self) -> type[Any]:  # type: ignore[override]
        return _sample("node", "feed.mjs")

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return {**self.source.config(world), "To": world.address}


class Isolated(Subject):
    provider = isolated(Pop3Provider)


SUBJECTS: Mapping[str, type[Subject]] = {"shell": FolderInShell, "node": FeedInNode, "isolated": Isolated}
