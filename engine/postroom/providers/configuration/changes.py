"""What a new file changes: instances are matched by identity, so that one which only changed keeps its state."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.providers.configuration.router_file import ProviderEntry, RouterFile

__all__ = ["Changes", "diff"]


@dataclass(frozen=True, slots=True)
class Changes:
    """`changed` are pairs (old, new) of one identity. `system`: the service's own settings differ."""

    added: tuple[ProviderEntry, ...] = ()
    removed: tuple[ProviderEntry, ...] = ()
    changed: tuple[tuple[ProviderEntry, ProviderEntry], ...] = ()
    unchanged: tuple[ProviderEntry, ...] = ()
    system: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.system)


def diff(old: RouterFile, new: RouterFile) -> Changes:
    """Values count, not words: a file that says the same in another way changes nothing. An override that gives other values does."""
    before = {entry.identity: entry for entry in old.providers}
    after = {entry.identity: entry for entry in new.providers}
    both = [(before[key], entry) for key, entry in after.items() if key in before]
    return Changes(
        added=tuple(entry for key, entry in after.items() if key not in before),
        removed=tuple(entry for key, entry in before.items() if key not in after),
        changed=tuple(pair for pair in both if not _same(*pair)),
        unchanged=tuple(pair[1] for pair in both if _same(*pair)),
        system=old.system != new.system,
    )


def _same(one: ProviderEntry, other: ProviderEntry) -> bool:
    return (one.provider, one.settings, one.config) == (other.provider, other.settings, other.config)
