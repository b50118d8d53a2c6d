"""May the Email Router serve this mailbox in this direction? Pure. (email-router-providers reference 1, server-side-sync reference 2.3)

An organization uses the Email Router or server-side synchronization, never both: its `emailconnectionchannel` decides. Of its mailboxes the router
serves those whose delivery method says so and whose address is approved. A profile, Test & Enable and the postponements belong to server-side
synchronization and are not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroom.model.options import EmailConnectionChannel, RecordState
from postroom.rules.eligibility import Obstacle, Reason, approval_obstacles, served
from postroom.rules.operation import Operation

if TYPE_CHECKING:
    from postroom.model import Mailbox, Organization

__all__ = ["channel_obstacles", "explain_routed", "organization_of"]


def channel_obstacles(organization: Organization) -> list[Reason]:
    """What keeps the router from the whole organization. The default, and an empty value, is server-side synchronization."""
    if organization.emailconnectionchannel == EmailConnectionChannel.EMAIL_ROUTER:
        return []
    return [Reason(Obstacle.CHANNEL, "the organization uses server-side synchronization")]


def explain_routed(
    operation: Operation, mailbox: Mailbox, organization: Organization, *, forward: bool = False
) -> list[Reason]:
    """Everything that keeps the router from this mailbox, in a fixed order. `forward`: the file says that it is a forward mailbox; the record must
    agree, or copies would be stored as if their senders had written to the organization."""
    found = channel_obstacles(organization)
    if mailbox.statecode != RecordState.ACTIVE:
        found.append(Reason(Obstacle.MAILBOX_INACTIVE, "the mailbox is inactive"))
    if not served(operation.value, mailbox):
        what = "incoming email" if operation is Operation.INCOMING else "outgoing email"
        found.append(Reason(Obstacle.METHOD, f"{what} of the mailbox is not served by the email router"))
    if operation is Operation.INCOMING and forward != bool(mailbox.isforwardmailbox):
        text = (
            "is not a forward mailbox, and the file says it is"
            if forward
            else "is a forward mailbox, and the file does not say so"
        )
        found.append(Reason(Obstacle.METHOD, f"the mailbox {text} (IsForwardMailbox)"))
    found += approval_obstacles(mailbox, None, organization)
    return found


def organization_of(url: str, names: Sequence[str]) -> str | None:
    """Which of the organizations a `CrmServerUrl` means: the one that is called as the URL or as the last part of its path, in any letter case; without
    a URL the only one that there is. None: none, or it is not clear. Ours: the original's URL is a web service's."""
    if not url:
        return names[0] if len(names) == 1 else None
    known = {name.casefold().rstrip("/"): name for name in names}
    whole = url.rstrip("/").casefold()
    return known.get(whole) or known.get(whole.rpartition("/")[2])
