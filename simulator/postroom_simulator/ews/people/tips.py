"""What a sender is told of a recipient before sending (ews reference 15; MS-OXWSMTIPS)."""

from __future__ import annotations

from postroom_simulator.actors.courier import knows
from postroom_simulator.directory import Account, Group, canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.people.absence import settings_of
from postroom_simulator.ews.people.book import Entry, mailbox_value

__all__ = ["LIMIT", "members", "tips_for"]

LIMIT = 50
"""Recipients that one request asks about (MailTipsConfiguration tells it)."""


def tips_for(call: Call, sender: str, recipient: Value, asked: frozenset[str]) -> Value:
    """A MailTips value. `sender`: address of who would send; `asked`: values of MailTipTypes; "All" for all."""
    address = recipient.get("EmailAddress", "")
    found = call.world.directory.resolve(address)
    value: Value = {
        "RecipientAddress": mailbox_value(found) if found is not None else _unknown(recipient),
        "PendingMailTips": "",
    }
    for name, maker in _MAKERS.items():
        if name in asked or "All" in asked:
            value |= _absence(call, sender, found) if maker is _absence else maker(call, address, found)
    return value


def _unknown(recipient: Value) -> Value:
    address = recipient.get("EmailAddress", "")
    return {"Name": recipient.get("Name") or address, "EmailAddress": address, "RoutingType": "SMTP"}


def _absence(call: Call, sender: str, found: Entry | None) -> Value:
    """What the sender would be answered: people outside hear what is meant for them, where they are answered at all."""
    if not isinstance(found, Account):
        return {}
    settings = settings_of(found)
    inside = call.world.directory.is_local(sender.rpartition("@")[2])
    known = not inside and knows(call.world, found, sender)
    reply = settings.reply(inside=inside, known=known) if settings.away(call.now()) else None
    said: Value = {"@xml:lang": reply.language or None, "Message": reply.text} if reply is not None else {"Message": ""}
    tip: Value = {"ReplyBody": said}
    if reply is not None and settings.state == "Scheduled":
        tip["Duration"] = {"StartTime": settings.start, "EndTime": settings.end}
    return {"OutOfOffice": tip}


def _full(call: Call, _: str, found: Entry | None) -> Value:
    if not isinstance(found, Account):
        return {}
    address = canonical(found.address)
    quota = call.store.quota(address)
    return {"MailboxFull": quota is not None and call.store.used(address) >= quota}


def members(call: Call, group: Group) -> set[str]:
    """Canonical addresses of everybody whom a list reaches, lists in it expanded; circles end."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [group]
    while todo:
        one = todo.pop()
        if canonical(one.address) in seen:
            continue
        seen.add(canonical(one.address))
        for address in one.members:
            entry = call.world.directory.resolve(address)
            if isinstance(entry, Group):
                todo.append(entry)
            else:
                found.add(canonical(entry.address if entry is not None else address))
    return found


def _external(call: Call, _: str, found: Entry | None) -> Value:
    if isinstance(found, Group):
        return {"ExternalMemberCount": sum(1 for one in members(call, found) if call.world.directory.get(one) is None)}
    return {"ExternalMemberCount": 0 if found is not None else 1}


def _total(call: Call, _: str, found: Entry | None) -> Value:
    return {"TotalMemberCount": len(members(call, found)) if isinstance(found, Group) else 1}


def _largest(call: Call, _: str, __: Entry | None) -> Value:
    return {"MaxMessageSize": min(call.world.smtp.settings.max_octets, 2**31 - 1)}


def _custom(_: Call, __: str, found: Entry | None) -> Value:
    return {"CustomMailTip": found.profile.mail_tip} if found is not None and found.profile.mail_tip else {}


def _invalid(call: Call, address: str, found: Entry | None) -> Value:
    """Nobody here, though the domain is: mail for it comes back."""
    domain = address.rpartition("@")[2]
    return {"InvalidRecipient": found is None and (not domain or "@" not in address or call.world.directory.is_local(domain))}


def _scope(call: Call, address: str, _: Entry | None) -> Value:
    """1: inside, 4: outside (MS-OXWSMTIPS 2.2.4.3: the scopes of a recipient)."""
    return {"Scope": 1 if call.world.directory.is_local(address.rpartition("@")[2]) else 4}


_MAKERS = {
    "OutOfOfficeMessage": _absence,
    "MailboxFullStatus": _full,
    "CustomMailTip": _custom,
    "TotalMemberCount": _total,
    "ExternalMemberCount": _external,
    "MaxMessageSize": _largest,
    "DeliveryRestriction": lambda _, __, found: {"DeliveryRestricted": found is not None and found.profile.restricted},
    "ModerationStatus": lambda _, __, found: {"IsModerated": found is not None and found.profile.moderated},
    "InvalidRecipient": _invalid,
    "Scope": _scope,
}
"""What each kind of tip adds."""
