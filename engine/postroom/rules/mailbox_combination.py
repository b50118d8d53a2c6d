"""Which combinations of a mailbox's attributes are possible (server-side-sync reference 0, 1.2, 1.7). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.model import ActDeliveryMethod, IncomingDeliveryMethod, Mailbox, OutgoingDeliveryMethod

__all__ = ["problems"]


def problems(mailbox: Mailbox) -> list[str]:
    """Everything that speaks against this mailbox, in words for people; empty: it can be saved."""
    return [*_forward(mailbox), *_queue(mailbox)]


def _forward(mailbox: Mailbox) -> Iterator[str]:
    if not mailbox.isforwardmailbox:
        return
    if mailbox.outgoingemaildeliverymethod not in (None, OutgoingDeliveryMethod.NONE):
        yield "a forward mailbox sends nothing: its outgoing delivery method must be None"
    if mailbox.incomingemaildeliverymethod is IncomingDeliveryMethod.FORWARD_MAILBOX:
        yield "a forward mailbox cannot itself be delivered to through a forward mailbox"


def _queue(mailbox: Mailbox) -> Iterator[str]:
    owner = mailbox.regardingobjectid
    is_queue = owner is not None and owner.entity == "queue"
    if mailbox.processanddeleteemails and not (is_queue or mailbox.isforwardmailbox):
        yield "emails are deleted after processing only in mailboxes of queues and in forward mailboxes"
    outlook = mailbox.incomingemaildeliverymethod is IncomingDeliveryMethod.OUTLOOK
    if is_queue and (outlook or mailbox.outgoingemaildeliverymethod is OutgoingDeliveryMethod.OUTLOOK):
        yield "a queue is not delivered to through Outlook"
    if mailbox.actdeliverymethod is ActDeliveryMethod.SERVER_SIDE_SYNC and (is_queue or mailbox.isforwardmailbox):
        yield "appointments, contacts and tasks are for users' mailboxes only"
