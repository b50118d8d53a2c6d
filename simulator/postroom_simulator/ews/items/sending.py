"""Messages on their way: delivered in the world, a copy kept where asked (ews reference 8)."""

from __future__ import annotations

import re
from email.utils import format_datetime

from postroom_simulator.actors.wishes import Notify, Wish, Wishes
from postroom_simulator.delivery import Delivery
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.compose import compose, envelope_of, has_field, new_message_id, with_fields, without_fields
from postroom_simulator.ews.items.keeping import check_size, keep
from postroom_simulator.ews.items.writing import New, sender_of
from postroom_simulator.store.interface import Folder, Item

__all__ = ["check_recipients", "send", "send_octets"]

_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def check_recipients(properties: Value) -> list[str]:
    """The envelope. Raises EwsError ErrorInvalidRecipients for none, and for one that is no address."""
    recipients = envelope_of(properties)
    boxes = [
        box
        for name in ("ToRecipients", "CcRecipients", "BccRecipients")
        for box in (properties.get(name) or {}).get("Mailbox") or ()
    ]
    if not recipients or any(not _ADDRESS.fullmatch(box.get("EmailAddress") or "") for box in boxes):
        raise EwsError("ErrorInvalidRecipients")
    return recipients


def send(call: Call, new: New, copy: Folder | None) -> Item | None:
    """Deliver a message to everybody it names, and keep a copy in `copy`. Raises EwsError: nobody to send to, or no right to send so."""
    known = new.whole()
    recipients = check_recipients(known)
    sent = {"DateTimeSent": call.now(), "IsDraft": False, "IsRead": True}
    whole = known | sender_of(call, known) | sent
    whole["InternetMessageId"] = known.get("InternetMessageId") or new_message_id(call)
    call.service.check_sender(call, whole)
    check_size(call, whole)
    octets = _completed(new.octets, whole) if new.octets is not None else compose(whole)
    kept = None
    if copy is not None:  # first: where the mailbox is full nothing is sent
        kept = _copy(call, copy, new, whole, octets)
    try:
        send_octets(
            call,
            whole["From"]["Mailbox"]["EmailAddress"],
            recipients,
            octets,
            receipt=bool(whole.get("IsDeliveryReceiptRequested")),
        )
    except BaseException:
        if kept is not None:
            call.store.delete([kept.uid])
        raise
    return kept


def send_octets(call: Call, sender: str, recipients: list[str], octets: bytes, *, receipt: bool = False) -> list[Delivery]:
    """Into the world, as a message that came by SMTP; who cannot be reached is reported to the sender."""
    wish = Wish(frozenset({Notify.SUCCESS, Notify.FAILURE, Notify.DELAY})) if receipt else Wish()
    return call.world.deliver(sender, recipients, octets, protocol="ews", connection=call.connection, wishes=Wishes(other=wish))


def _completed(octets: bytes, whole: Value) -> bytes:
    """A message that came as MIME, octet for octet, but for Bcc and the fields that every message has."""
    octets = without_fields(octets, ("bcc",))
    missing: list[tuple[str, str]] = []
    if not has_field(octets, "date"):
        missing.append(("Date", format_datetime(whole["DateTimeSent"])))
    if not has_field(octets, "message-id"):
        missing.append(("Message-ID", whole["InternetMessageId"]))
    if not has_field(octets, "from"):
        head = compose({"From": whole["From"]}).partition(b"\r\n")[0].decode("utf-8")
        missing.append(("From", head.removeprefix("From: ")))
    return with_fields(octets, missing)


def _copy(call: Call, folder: Folder, new: New, whole: Value, octets: bytes) -> Item:
    """What the sender keeps: with Bcc."""
    flags = frozenset({"submitted"})
    if new.octets is not None:
        beside = new.properties | {"IsDraft": False, "IsRead": True, "BccRecipients": whole.get("BccRecipients")}
        return keep(call, folder, new.kind, beside, octets, flags=flags)
    return keep(call, folder, new.kind, whole, flags=flags)
