"""Messages on their way: delivered in the world, a copy kept where asked (ews reference 8)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.compose import compose, envelope_of, new_message_id
from postroom_simulator.ews.items.writing import sender_of
from postroom_simulator.store.interface import Folder, Item

__all__ = ["send"]


def send(call: Call, properties: Value, copy: Folder | None) -> Item | None:
    """Deliver a message to everybody it names, and keep a copy in `copy`. Raises EwsError: nobody to send to, or no right to send so."""
    recipients = envelope_of(properties)
    if not recipients:
        raise EwsError("ErrorInvalidRecipients")
    if any("@" not in address.strip("@") for address in recipients):
        raise EwsError("ErrorInvalidRecipients")
    whole = properties | sender_of(call, properties) | {"DateTimeSent": call.now()}
    whole.setdefault("InternetMessageId", new_message_id(call))
    call.service.check_sender(call, whole)
    sender = whole["From"]["Mailbox"]["EmailAddress"]
    call.world.deliver(sender, recipients, compose(whole))
    if copy is None:
        return None
    kept = call.store.deposit(canonical(copy.account), compose(whole, bcc=True), folder=copy.uid, read=True)
    return call.store.set_flags(kept.uid, frozenset({"submitted"}))
