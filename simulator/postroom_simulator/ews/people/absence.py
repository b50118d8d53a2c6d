"""Out-of-office settings of a mailbox: the actor of the account that answers mail while somebody is away (ews reference 15; MS-OXWOOF)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from postroom_simulator.actors.values import TEXT_LIMIT, AutoReply, OofReply, OutOfOffice
from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError

__all__ = ["settings_of", "settings_value", "store_settings"]


def settings_of(account: Account) -> OutOfOffice:
    """What is set; an automatic reply that somebody gave the account otherwise counts as settings too."""
    for actor in account.actors:
        if isinstance(actor, OutOfOffice):
            return actor
        if isinstance(actor, AutoReply):
            reply = OofReply(actor.text, actor.language)
            scheduled = actor.start is not None and actor.end is not None
            state = "Scheduled" if scheduled else "Enabled"
            return OutOfOffice(state, "All", reply, reply, actor.start, actor.end)  # type: ignore[arg-type]
    return OutOfOffice()


def settings_value(settings: OutOfOffice, now: datetime) -> Value:
    """A UserOofSettings. There is always a duration: where none was set, the 24 hours from now on (our choice)."""
    start = settings.start or now.replace(minute=0, second=0, microsecond=0)
    return {
        "OofState": settings.state,
        "ExternalAudience": settings.audience,
        "Duration": {"StartTime": start, "EndTime": settings.end or start + timedelta(days=1)},
        "InternalReply": _reply_value(settings.internal),
        "ExternalReply": _reply_value(settings.external),
    }


def _reply_value(reply: OofReply) -> Value:
    return {"@xml:lang": reply.language or None, "Message": reply.text}


def store_settings(call: Call, account: Account, value: Value) -> None:
    """Raises EwsError."""
    settings = _read(value)
    with call.world.lock:
        before = settings_of(account)
        others = [one for one in account.actors if not isinstance(one, (OutOfOffice, AutoReply))]
        account.actors[:] = [*others, settings]
        if (before.state, before.start, before.end) != (settings.state, settings.start, settings.end):
            call.world.desk.forget_answers(canonical(account.address))


def _read(value: Value) -> OutOfOffice:
    start, end = None, None
    if value.get("Duration") is not None:
        start, end = _utc(value["Duration"]["StartTime"]), _utc(value["Duration"]["EndTime"])
    if value["OofState"] == "Scheduled" and (start is None or end is None or start >= end):
        raise EwsError("ErrorInvalidScheduledOofDuration", "A scheduled absence needs a start, and an end after it.")
    internal, external = (_reply(value.get(name)) for name in ("InternalReply", "ExternalReply"))
    return OutOfOffice(value["OofState"], value["ExternalAudience"], internal, external, start, end)


def _utc(moment: datetime) -> datetime:
    """Times of a duration are UTC where they have no zone (ews reference 15)."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _reply(value: Value | None) -> OofReply:
    text = (value or {}).get("Message") or ""
    if len(text) > TEXT_LIMIT:
        raise EwsError("ErrorInvalidUserOofSettings", f"A reply has at most {TEXT_LIMIT} characters.")
    return OofReply(text, (value or {}).get("@xml:lang") or "")
