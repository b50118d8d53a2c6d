"""Retention tags: how long mail is kept, and what becomes of it then. The server tells of them; nothing is ever removed by one (our choice)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

__all__ = ["RetentionTag"]


@dataclass(frozen=True, slots=True)
class RetentionTag:
    """period: in days, 0 for ever. folder: an ElcFolderType of the schema ("All", "Personal", "Inbox", ...). action: a RetentionActionType."""

    name: str
    period: int = 0
    folder: str = "Personal"
    action: str = "DeleteAndAllowRecovery"
    description: str = ""
    visible: bool = True
    opted_into: bool = False
    archive: bool = False

    def value(self) -> dict[str, object]:
        """A RetentionPolicyTagType; the id is made from the name, so that it is always the same."""
        return {
            "DisplayName": self.name,
            "RetentionId": str(uuid5(NAMESPACE_URL, f"retention:{self.name}")),
            "RetentionPeriod": self.period,
            "Type": self.folder,
            "RetentionAction": self.action,
            "Description": self.description or None,
            "IsVisible": self.visible,
            "OptedInto": self.opted_into,
            "IsArchive": self.archive,
        }
