"""Who is there: accounts with their addresses, passwords, quota and rules; groups. (Look-ups are below the values.)"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Account", "Group", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A server-side rule that runs when a message is deposited in the Inbox. All conditions given must hold.

    Conditions: `from_contains`, `subject_contains` (case-insensitive), `sent_to` (an address among To/Cc); none: always.
    Actions: `forward_as_attachment_to` (a new message from the account, the original inside as message/rfc822),
    `forward_to` (a new message quoting the original), `redirect_to` (the same octets, Resent- fields added), `move_to` (folder name
    or role), `delete`, `mark_read`. `stop` ends rule processing.
    """

    name: str = ""
    from_contains: str | None = None
    subject_contains: str | None = None
    sent_to: str | None = None
    forward_as_attachment_to: tuple[str, ...] = ()
    forward_to: tuple[str, ...] = ()
    redirect_to: tuple[str, ...] = ()
    move_to: str | None = None
    delete: bool = False
    mark_read: bool = False
    stop: bool = False
    enabled: bool = True


@dataclass(slots=True)
class Account:
    """A mailbox that people log in to.

    address    primary address as given; look-ups fold ASCII case
    aliases    further addresses whose mail lands here
    logins     further names for AUTH and USER; the address, each alias and the local part (where unique) always work
    password   never shown
    quota      octets, None: unlimited
    disabled   known, but can neither log in nor receive
    """

    address: str
    password: str = field(repr=False)
    name: str = ""
    aliases: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    quota: int | None = None
    disabled: bool = False
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """An address that stands for several: mail for it goes to each member (accounts, groups, outside addresses), once."""

    address: str
    members: tuple[str, ...] = ()
    name: str = ""
