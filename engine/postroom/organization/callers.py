"""Who asks. Every message to the organization names its caller; the engine itself is `SYSTEM`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from postroom.errors import PrivilegeMissing
from postroom.rules.sending import Depth

__all__ = [
    "ADMINISTRATOR",
    "APPROVE_ADDRESS",
    "READ_ACTIVITY",
    "READ_QUEUE",
    "SEND_AS_USER",
    "SYSTEM",
    "WRITE_ACTIVITY",
    "Caller",
]

APPROVE_ADDRESS = "prvApproveRejectEmailAddress"
"""Approve or reject a mailbox's address (server-side-sync reference 1.7, 2.3)."""
SEND_AS_USER = "prvSendAsUser"
"""Send Email as Another User (server-side-sync reference 7.5). Its depth may be named: "prvSendAsUser:local"; without one it is the whole
organization."""
ADMINISTRATOR = "System Administrator"
"""The security role (reference 1.4). Roles are not modelled: who has it holds it like a privilege (ours)."""
READ_QUEUE = "prvReadQueue"
"""To send as a queue (reference 7.5). Open to every caller who was not denied it."""
READ_ACTIVITY = "prvReadActivity"
WRITE_ACTIVITY = "prvWriteActivity"
"""BackgroundSendEmail needs both (email-router-providers reference 13)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with privileges. `system` holds every privilege and is no user. `secure_channel` False: what they typed came over plain HTTP, where
    credentials are not taken (reference 1.1, AllowCredentialsEntryViaNonSecureChannels).

    Our choice: only the privileges that the references name are looked at; reading and writing records in general is open to
    every caller of an organization. `denied`: of what is open to every caller, what this one may not.
    """

    user_id: str | None = None
    privileges: frozenset[str] = field(default_factory=frozenset)
    system: bool = False
    denied: frozenset[str] = field(default_factory=frozenset)
    secure_channel: bool = True

    @classmethod
    def user(cls, user_id: str, *privileges: str) -> Caller:
        return cls(user_id, frozenset(privileges))

    def holds(self, privilege: str) -> bool:
        return self.system or privilege in self.privileges

    def depth(self, privilege: str) -> Depth | None:
        """How far a privilege reaches: the widest that was given as "name" (the whole organization) or "name:depth"; None: not held."""
        if self.holds(privilege):
            return Depth.GLOBAL
        held = [depth for depth in Depth if f"{privilege}:{depth}" in self.privileges]
        return held[-1] if held else None

    def may(self, privilege: str) -> bool:
        """For a privilege that is open to every caller: whether it was not denied to this one."""
        return self.system or privilege not in self.denied

    def without(self, *privileges: str) -> Caller:
        """The same caller, denied these."""
        return replace(self, denied=self.denied | frozenset(privileges))

    def require(self, privilege: str) -> None:
        """Raises PrivilegeMissing unless the caller holds it."""
        if not self.holds(privilege):
            raise PrivilegeMissing(f"the caller lacks the privilege {privilege}", privilege)


SYSTEM = Caller(system=True)
