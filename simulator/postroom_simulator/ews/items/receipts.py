"""Read receipts: who asked for one gets it when the message is seen, or thrown away unseen (ews reference 8; RFC 8098)."""

from __future__ import annotations

from email.utils import format_datetime

from postroom_simulator.compose import encoded, entity, field_lines, mailbox, multipart
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.items.compose import new_message_id
from postroom_simulator.ews.items.keeping import own, save
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.sending import send_octets
from postroom_simulator.ews.items.view import properties_of
from postroom_simulator.store.interface import Item

__all__ = ["acknowledge"]


def acknowledge(call: Call, item: Item, *, send: bool, seen: bool = True) -> Item:
    """A message is seen, or deleted unseen, for the first time: its receipt goes out, or with `send` False never will. The item as it is then."""
    if kind_of(item.item_class).folder_class != "IPF.Note" or item.flags & {"draft", "submitted"}:
        return item
    known = properties_of(call, item)
    wanted = known.get("IsReadReceiptRequested") and not known.get("@ReceiptDone")
    sender = ((known.get("From") or {}).get("Mailbox") or {}).get("EmailAddress") or ""
    if not wanted or not sender or call.world.directory.get(sender) is call.account:
        return item
    if send:
        subject = known.get("Subject") or ""
        send_octets(call, "", [sender], _report(call, sender, subject, known.get("InternetMessageId") or "", seen=seen))
    before = own(call.store, item)
    return save(call, item, before, before | {"@ReceiptDone": True})


def _report(call: Call, sender: str, subject: str, message_id: str, *, seen: bool) -> bytes:
    """A message disposition notification (RFC 8098 §3)."""
    account, now = call.account, call.now()
    boundary = f"=_{call.world.ids.token(32)}"
    done = "displayed" if seen else "deleted"
    human = f"Your message\r\n\r\n  Subject: {' '.join(subject.split())}\r\n\r\nwas {'read' if seen else 'deleted without being read'} on {format_datetime(now)}.\r\n"
    disposition = f"{'manual-action/MDN-sent-automatically' if seen else 'automatic-action/MDN-sent-automatically'}; {done}"
    machine = [("Reporting-UA", call.world.hostname), ("Final-Recipient", f"rfc822;{account.address}")]
    if message_id:
        machine.append(("Original-Message-ID", message_id))
    machine.append(("Disposition", disposition))
    fields = [
        ("From", mailbox(account.name, account.address)),
        ("To", sender),
        ("Subject", encoded(f"{'Read' if seen else 'Not read'}: {subject}")),
        ("Date", format_datetime(now)),
        ("Message-ID", new_message_id(call)),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type=disposition-notification; boundary="{boundary}"'),
    ]
    if message_id:
        fields[5:5] = [("In-Reply-To", message_id), ("References", message_id)]
    text = entity(
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")], human.encode("utf-8", "replace")
    )
    report = entity([("Content-Type", "message/disposition-notification")], field_lines(machine))
    return entity(fields, multipart(boundary, [text, report]))
