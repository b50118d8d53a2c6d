"""Who asks. Every message to the organization names its caller; the engine itself is `SYSTEM`."""

from __future__ import annotations

from dataclasses import dataclass, field

from postroom.errors import PrivilegeMissing

__all__ = ["APPROVE_ADDRESS", "READ_ACTIVITY", "SEND_AS_USER", "SYSTEM", "WRITE_ACTIVITY", "Caller"]

APPROVE_ADDRESS = "prvApproveRejectEmailAddress"
"""Approve or reject a mailbox's address (server-side-sync reference 1.7, 2.3)."""
SEND_AS_USER = "prvSendAsUser"
"""Send Email as Another User (server-side-sync reference 7.5)."""
READ_ACTIVITY = "prvReadActivity"
WRITE_ACTIVITY = "prvWriteActivity"
"""BackgroundSendEmail needs both (email-router-providers reference 13)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with privileges. `system` holds every privilege and is no user.

    Our choice: only the privileges that the references name are looked at; reading and writing records in general is open to
    every caller of an organization.
    """

    user_id: str | None = None
    privileges: frozenset[str] = field(default_factory=frozenset)
    system: bool = False

    @classmethod
    def user(cls, user_id: str, *privileges: str) -> Caller:
        return cls(user_id, frozenset(privileges))

    def holds(self, privilege: str) -> bool:
        return self.system or privilege in self.privileges

    def require(self, privilege: str) -> None:
        """Raises PrivilegeMissing unless the caller holds it."""
        if not self.holds(privilege):
            raise PrivilegeMissing(f"the caller lacks the privilege {privilege}", privilege)


SYSTEM = Caller(system=True)
