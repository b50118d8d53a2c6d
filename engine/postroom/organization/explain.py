"""Why a message became what it became, and why a mailbox is skipped: the rule, the values it saw, the settings that would change it (ours).

`explain_mail` gathers: the ledger row, the message as far as it is kept (octets of what was tracked or parked, the head of what was not let
in), the records of today. `told` and `skipped` are pure: facts in, an explanation out. Settings bear their published names; what a setting
would have to be is said only where one value alone changes the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom.errors import RecordNotFound
from postroom.mime.parse import parse_message
from postroom.model import GenericRecord, IncomingFilteringMethod, Lookup, Mailbox, TraceLevel, TraceLog, Verdict, address_key
from postroom.model import Organization as OrganizationRecord
from postroom.model.deployment import DeploymentSettings
from postroom.model.settings import OrgDbOrgSettings
from postroom.organization.forwarding import unwrap
from postroom.organization.heads import message_of_head
from postroom.organization.incoming import Judgement, Place, judge, load_place
from postroom.organization.mail_log import MailRow, mail_row
from postroom.organization.message_values import IncomingMessage
from postroom.organization.policies import switches_of
from postroom.rules.eligibility import Obstacle, Reason
from postroom.rules.error_classes import ERROR_NUMBERS, THOUSANDS
from postroom.rules.operation import COLUMNS, Operation
from postroom.store import Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["Asked", "Facts", "MailExplanation", "SettingNow", "Skipped", "explain_mail", "skipped", "told"]


@dataclass(frozen=True, slots=True)
class SettingNow:
    """A setting that bears on the outcome, as it is today.

    entity, record  whose attribute; entity "organization", "orgdborgsettings" or "deployment" with no record for what holds everywhere
    label           what the record is called
    wanted          the value that would change the outcome; None: no single value does
    effect          what it does, in words
    """

    entity: str
    record: str
    label: str
    name: str
    value: Any
    wanted: Any
    effect: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One address among the recipients, and who it is: `label` empty, nobody here."""

    address: str
    label: str = ""
    reference: Lookup | None = None
    filter: IncomingFilteringMethod | None = None
    visible: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an explanation is made of.

    verdict         what CheckIncomingEmail says of the message today; None where the message is not kept or is stored itself
    sender          who the sender is, in words; empty: nobody known
    answers         in words what the message answers; empty: nothing stored
    owner           whose mailbox it is; None for forward mailboxes, and where it is gone
    """

    row: MailRow
    settings: OrganizationRecord
    switches: OrgDbOrgSettings
    deployment: DeploymentSettings
    mailbox: Mailbox | None = None
    profile_date: datetime | None = None
    profile: Lookup | None = None
    owner: Asked | None = None
    sender_address: str = ""
    sender: str = ""
    sender_entity: str = ""
    recipients: Sequence[Asked] = ()
    answers: str = ""
    verdict: Verdict | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class MailExplanation:
    """`rule`: where the decision is written down. `saw`: what it looked at. `now`: what would become of the message today, in words."""

    row: MailRow
    text: str
    rule: str
    saw: Mapping[str, str]
    now: str
    settings: Sequence[SettingNow] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """One thing that keeps a mailbox from being processed in one direction. `remedy`: what to do, in words."""

    operation: Operation
    code: str
    text: str
    remedy: str
    until: datetime | None = None
    settings: Sequence[SettingNow] = field(default=())


# -- gathering --------------------------------------------------------------------------------------------------------


def explain_mail(organization: Organization, number: int) -> MailExplanation:
    """Raises RecordNotFound."""
    with organization.store.reading() as tx:
        row = mail_row(tx, number)
        return told(_facts(tx, row, organization.deployment.settings))


def _facts(tx: Transaction, row: MailRow, deployment: DeploymentSettings) -> Facts:
    try:
        place = load_place(tx, row.mailbox_id)
    except RecordNotFound:  # the mailbox is gone, or its profile
        place = load_place(tx, None)
    values: dict[str, Any] = {
        "row": row,
        "settings": place.settings,
        "switches": switches_of(place.settings.orgdborgsettings),
        "deployment": deployment,
        "mailbox": place.mailbox,
        "profile": place.profile.reference if place.profile is not None else None,
        "profile_date": place.profile.processemailsreceivedafter if place.profile is not None else None,
    }
    message, place, values["kept"], whole = _message(tx, row, place)
    if message is None:
        return Facts(**values, owner=_owner(tx, place))
    judgement = judge(tx, place, message)
    values |= {
        "owner": _owner(tx, place),
        "sender_address": message.sender.address if message.sender is not None else "",
        "answers": judgement.correlation.method.name.lower().replace("_", " ") if judgement.correlation is not None else "",
        "recipients": _recipients(tx, place, message, judgement),
    }
    if judgement.sender.record is not None:
        reference = judgement.sender.record.reference
        values |= {"sender": _called(tx, reference), "sender_entity": reference.entity}
    if whole and row.disposition != "tracked":
        values["verdict"] = judgement.verdict
    return Facts(**values)


def _message(tx: Transaction, row: MailRow, place: Place) -> tuple[IncomingMessage | None, Place, str, bool]:
    """The message that was judged, where, in words what is kept of it, and whether judging it again says the same thing."""
    forward = place.mailbox is not None and bool(place.mailbox.isforwardmailbox)
    octets = ledger.read_content(tx, row.digest) if row.digest else None
    if octets is not None:
        parsed = parse_message(octets)
        received = row.received_on or row.at
        if forward:
            found = unwrap(tx, parsed, received, "")
            if isinstance(found, str):
                return None, place, "the whole message", False
            return found.message, Place(place.settings, place.policies, found.mailbox, place.profile), "the whole message", True
        return IncomingMessage.of_parsed(parsed, received, ""), place, "the whole message", place.mailbox is not None
    if row.head is not None:
        return message_of_head(row.head), place, "its head", place.mailbox is not None and not forward
    return None, place, "", False


def _owner(tx: Transaction, place: Place) -> Asked | None:
    if place.owner is None or place.mailbox is None:
        return None
    return Asked(
        place.mailbox.emailaddress or "", _called(tx, place.owner), place.owner, _filter_of(tx, place, place.owner), False
    )


def _filter_of(tx: Transaction, place: Place, reference: Lookup) -> IncomingFilteringMethod | None:
    """As the judge learned it, else from the record."""
    if reference in place.filters:
        return place.filters[reference]
    entity = "usersettings" if reference.entity == "systemuser" else reference.entity
    try:
        record = tx.fetch(Lookup(entity, reference.id))
    except RecordNotFound:
        return None
    return getattr(record, "incomingemailfilteringmethod", None)


def _recipients(tx: Transaction, place: Place, message: IncomingMessage, judgement: Judgement) -> list[Asked]:
    found = []
    for visible, addresses in ((True, (*message.to, *message.cc)), (False, message.bcc)):
        for address in addresses:
            matches = judgement.matches.get(address_key(address.address), ())
            ours = [one.reference for one in matches if one.reference.entity in ("systemuser", "queue") and one.active]
            found += [Asked(address.address, _called(tx, one), one, _filter_of(tx, place, one), visible) for one in ours] or [
                Asked(address.address, visible=visible)
            ]
    return found


def _called(tx: Transaction, reference: Lookup) -> str:
    """ "systemuser Ada Alder"."""
    try:
        record = tx.fetch(reference)
    except RecordNotFound:
        return f"{reference.entity} {reference.id} (gone)"
    for name in ("fullname", "name"):
        value = record.get(name) if isinstance(record, GenericRecord) else getattr(record, name, None)
        if value:
            return f"{reference.entity} {value}"
    return f"{reference.entity} {reference.id}"


# -- telling: mail ----------------------------------------------------------------------------------------------------

ACCEPTANCE = "CheckIncomingEmail"
_TOLD: Mapping[str, tuple[str, str]] = {
    "accept all": ("a recipient's filter takes all mail", f"{ACCEPTANCE}: filter methods (reference 4.3)"),
    "sender match": (
        "the sender is a known record, and a recipient's filter asks for that",
        f"{ACCEPTANCE}: filter methods (reference 4.3)",
    ),
    "correlation match": ("it answers email that is stored", f"{ACCEPTANCE}: correlation (reference 4.3, 4.7)"),
    "duplicate": ("its Message-ID is stored already", f"{ACCEPTANCE}: duplicates (reference 4.1, 4.4)"),
    "no correlation match": (
        "no filter of those it is for takes it, and it answers nothing that is stored",
        f"{ACCEPTANCE}: filter methods (reference 4.3)",
    ),
    "no recipient match": (
        "none of its To and Cc addresses is a user's or queue's here",
        f"{ACCEPTANCE}: recipients (reference 4.3)",
    ),
    "internal email reject": (
        "it is between colleagues, and such mail is ignored",
        f"{ACCEPTANCE}: internal email (reference 4.4)",
    ),
    "invalid sender": ("it has no usable From address", f"{ACCEPTANCE}: sender (reference 4.1)"),
    "before watermark": ("it is older than mail is to be processed from", "received-after dates (reference 4.2)"),
}
_BY_DISPOSITION: Mapping[str, tuple[str, str]] = {
    "parked": ("it was let in, but could not be stored", "parked (reference 3.5)"),
    "failing": ("it could not be fetched so far; it is tried again", "item retries (reference 3.5)"),
    "pending": ("nothing was decided for good: it is offered again", "pending"),
}


def told(facts: Facts) -> MailExplanation:
    """In words, from facts alone."""
    row = facts.row
    text, rule = _TOLD.get(row.reason, ("", ACCEPTANCE))
    if row.disposition in ("parked", "failing") or not text:
        text, rule = _BY_DISPOSITION.get(row.disposition, (row.detail, rule))
    return MailExplanation(row, f"{row.disposition}: {text}", rule, _saw(facts), _now(facts), _settings(facts))


def _saw(facts: Facts) -> dict[str, str]:
    found = {"said then": facts.row.detail} if facts.row.detail else {}
    if not facts.kept:
        found["message"] = "nothing of it is kept but this row: what it said is not known any more"
    else:
        found["message"] = f"{facts.kept} is kept"
        sender = facts.sender or "no record has the address"
        found["sender"] = f"{facts.sender_address}: {sender}" if facts.sender_address else "none"
        for number, one in enumerate(facts.recipients, 1):
            where = "" if one.visible else " (only Bcc)"
            who = f"{one.label}, filter {_words(one.filter)}" if one.label else "no user or queue here"
            found[f"recipient {number}"] = f"{one.address}{where}: {who}"
        found["answers"] = f"stored email, by {facts.answers}" if facts.answers else "no stored email"
    if facts.owner is not None:
        found["mailbox of"] = f"{facts.owner.label}, filter {_words(facts.owner.filter)}"
    if facts.row.received_on is not None:
        found["received"] = f"{facts.row.received_on:%Y-%m-%d %H:%M:%S} UTC"
    return found


def _words(method: IncomingFilteringMethod | None) -> str:
    return "not known" if method is None else f"{int(method)} {method.name.lower().replace('_', ' ')}"


def _now(facts: Facts) -> str:
    if facts.row.disposition == "tracked":
        return "it is stored"
    if facts.verdict is None:
        return ""
    what = "it would be tracked" if facts.verdict.deliver else "it would still be refused"
    again = (
        "; what was filtered is not offered again by itself"
        if facts.verdict.deliver and facts.row.disposition == "filtered"
        else ""
    )
    return f"{what}: {facts.verdict.reason.name.lower().replace('_', ' ')}{again}"


def _settings(facts: Facts) -> list[SettingNow]:
    if facts.row.disposition == "parked":
        return _of_deployment(facts, {"maximum_message_size": (None, "octets; a larger message is parked")})
    if facts.row.disposition == "failing":
        return _of_deployment(facts, {"item_attempts": (None, "tries at one message before it is parked")})
    makers = {
        "no correlation match": _no_correlation,
        "no recipient match": _no_recipient,
        "internal email reject": _internal,
        "before watermark": _watermark,
        "duplicate": _duplicate,
    }
    maker = makers.get(facts.row.reason)
    return maker(facts) if maker is not None else []


def _of_organization(facts: Facts, names: Mapping[str, tuple[Any, str]]) -> list[SettingNow]:
    return [
        SettingNow("organization", "", "", name, getattr(facts.settings, name), wanted, effect)
        for name, (wanted, effect) in names.items()
    ]


def _of_switches(facts: Facts, names: Mapping[str, tuple[Any, str]]) -> list[SettingNow]:
    return [
        SettingNow("orgdborgsettings", "", "", name, getattr(facts.switches, name), wanted, effect)
        for name, (wanted, effect) in names.items()
    ]


def _of_deployment(facts: Facts, names: Mapping[str, tuple[Any, str]]) -> list[SettingNow]:
    return [
        SettingNow("deployment", "", "", name, getattr(facts.deployment, name), wanted, effect)
        for name, (wanted, effect) in names.items()
    ]


def _filters(people: Iterable[Asked], wanted: IncomingFilteringMethod, effect: str) -> list[SettingNow]:
    found: dict[Lookup, SettingNow] = {}
    for one in people:
        if one.reference is None or one.filter is None or one.reference in found:
            continue
        entity = "usersettings" if one.reference.entity == "systemuser" else one.reference.entity
        asked = SettingNow(entity, one.reference.id, one.label, "incomingemailfilteringmethod", one.filter, wanted, effect)
        found[one.reference] = asked
    return list(found.values())


def _no_correlation(facts: Facts) -> list[SettingNow]:
    asked = [one for one in facts.recipients if one.reference is not None]
    if not facts.kept and facts.owner is not None:
        asked = [facts.owner]
    all_mail = IncomingFilteringMethod.ALL
    found = _filters(asked, all_mail, "0 tracks all mail; 2 and 3 track mail of known senders")
    columns: dict[str, tuple[Any, str]] = {
        "emailcorrelationenabled": (None, "answers are recognized by their headers"),
        "trackingprefix": (None, "answers are recognized by the token in their subject"),
        "enablesmartmatching": (None, "answers are recognized by subject and recipients"),
    }
    switches: dict[str, tuple[Any, str]] = {
        "ignoreconversationindexandinreplytoforcorrelation": (None, "turns recognition by headers off"),
        "usefilteringmethodofsyncingmailboxonlyforcorrelation": (None, "only the mailbox's own filter counts"),
    }
    return [*found, *_of_organization(facts, columns), *_of_switches(facts, switches)]


def _no_recipient(facts: Facts) -> list[SettingNow]:
    people = [facts.owner] if facts.owner is not None else []
    effect = "0 takes all mail of the mailbox, whoever it names"
    return [
        *_filters(people, IncomingFilteringMethod.ALL, effect),
        *_of_organization(
            facts, {"unresolveemailaddressifmultiplematch": (None, "an address of several records counts as nobody's")}
        ),
    ]


def _internal(facts: Facts) -> list[SettingNow]:
    switches: dict[str, tuple[Any, str]] = {
        "donotignoreinternalemailtoqueues": (None, "mail of colleagues to queues is let in even so"),
        "ignoreinternalemaildetectionenhancement": (None, "let in while the outgoing copy is not stored"),
        "ignoreinternalemailfromqueues": (None, "refuses mail of queues to users that is stored as outgoing"),
    }
    columns = {"ignoreinternalemail": (False, "mail between colleagues is not tracked a second time")}
    return [*_of_organization(facts, columns), *_of_switches(facts, switches)]


def _watermark(facts: Facts) -> list[SettingNow]:
    found = []
    wanted = facts.row.received_on
    if facts.mailbox is not None:
        box, label = facts.mailbox, facts.mailbox.emailaddress or facts.mailbox.name or ""
        date = box.processemailreceivedafter
        effect = "older mail of the mailbox is left alone"
        found.append(
            SettingNow("mailbox", box.mailboxid, label, "processemailreceivedafter", date, _lower(date, wanted), effect)
        )
    if facts.profile is not None:
        date = facts.profile_date
        effect = "older mail of its mailboxes is left alone"
        found.append(
            SettingNow(
                "emailserverprofile", facts.profile.id, "", "processemailsreceivedafter", date, _lower(date, wanted), effect
            )
        )
    return found


def _lower(date: datetime | None, received: datetime | None) -> datetime | None:
    """The date that would let it in, where this one keeps it out."""
    return received if date is not None and received is not None and received < date else None


def _duplicate(facts: Facts) -> list[SettingNow]:
    effect = "a later queue gets a queue item of the email that is stored"
    return _of_switches(facts, {"ssscreateadditionalqueueitemsforalreadytrackedemail": (None, effect)})


# -- telling: mailboxes -----------------------------------------------------------------------------------------------


def skipped(
    operation: Operation, reasons: Sequence[Reason], mailbox: Mailbox, settings: OrganizationRecord, trouble: str = ""
) -> list[Skipped]:
    """Each obstacle with what it looked at and what takes it away. `trouble`: why the direction is off, as `open_trouble` knows it."""
    return [
        _skipped(operation, replace(reason, text=f"{reason.text}, since {trouble}"), mailbox, settings)
        if trouble and reason.code is Obstacle.NOT_ENABLED
        else _skipped(operation, reason, mailbox, settings)
        for reason in reasons
    ]


def open_trouble(tx: Transaction, mailbox: Mailbox, operation: Operation) -> str:
    """The newest error of this operation that is not over, as its alert says it; "" without one."""
    start = THOUSANDS[operation]
    found = tx.find(
        TraceLog, regardingobjectid=mailbox.reference, tracestatus=False, level=TraceLevel.ERROR, order_by=("-modifiedon",)
    )
    for one in found:
        if start <= (one.tracecode or 0) < start + ERROR_NUMBERS:
            return f"{one.errortypedisplay}: {one.errordetails or one.text}"
    return ""


def _skipped(operation: Operation, reason: Reason, mailbox: Mailbox, settings: OrganizationRecord) -> Skipped:
    code = str(reason.code)
    remedy, names = _REMEDIES.get(code, ("", ()))
    seen = []
    for name in dict.fromkeys(_of_direction(name, operation) for name in names):
        if not name or name == _other_approval(mailbox):
            continue
        entity, _, attribute = name.partition(".")
        if entity == "organization":
            seen.append(SettingNow("organization", "", "", attribute, getattr(settings, attribute), None, ""))
        else:
            label = mailbox.emailaddress or mailbox.name or ""
            seen.append(SettingNow("mailbox", mailbox.mailboxid, label, attribute, getattr(mailbox, attribute), None, ""))
    return Skipped(operation, code, reason.text, remedy, reason.until, tuple(seen))


def _other_approval(mailbox: Mailbox) -> str:
    """The approval setting that is not this mailbox's."""
    queue = mailbox.regardingobjectid is not None and mailbox.regardingobjectid.entity == "queue"
    return "organization.requireapprovalforuseremail" if queue else "organization.requireapprovalforqueueemail"


_METHODS = {
    Operation.INCOMING: "incomingemaildeliverymethod",
    Operation.OUTGOING: "outgoingemaildeliverymethod",
    Operation.ACT: "actdeliverymethod",
}


def _of_direction(name: str, operation: Operation) -> str:
    """`{status}` and its like become the attribute of this direction; "" where a test has none."""
    if "{" not in name:
        return name
    if operation is Operation.TEST:
        return "mailbox.postponetestemailconfigurationuntil" if name == "mailbox.{postponed}" else ""
    columns = COLUMNS[operation]
    return name.format(
        method=_METHODS[operation],
        status=columns.status,
        enabled=columns.enabled,
        scheduled=columns.scheduled,
        postponed=columns.postponed,
    )


_REMEDIES: Mapping[str, tuple[str, Sequence[str]]] = {
    "channel": ("set emailconnectionchannel to 0", ("organization.emailconnectionchannel",)),
    "mailbox-inactive": ("activate the mailbox", ("mailbox.statecode",)),
    "no-profile": (
        "give the mailbox a profile, or apply the default settings",
        ("mailbox.emailserverprofile", "organization.defaultemailserverprofileid"),
    ),
    "profile-inactive": ("activate the profile", ("mailbox.emailserverprofile",)),
    "method": ("set the delivery method to server-side synchronization", ("mailbox.{method}",)),
    "server-type": ("use an Exchange profile", ("mailbox.emailserverprofile",)),
    "owner": ("only users have this", ("mailbox.regardingobjectid",)),
    "delegation": ("let the profile impersonate (incominguseimpersonation, outgoinguseimpersonation)", ()),
    "not-approved": (
        "approve the address",
        (
            "mailbox.emailrouteraccessapproval",
            "organization.requireapprovalforuseremail",
            "organization.requireapprovalforqueueemail",
        ),
    ),
    "not-approved-by-admin": ("approve it as the Office 365 administrator", ("mailbox.isemailaddressapprovedbyo365admin",)),
    "not-enabled": ("test and enable the mailbox", ("mailbox.{enabled}", "mailbox.{status}")),
    "not-scheduled": ("test and enable the mailbox", ("mailbox.testemailconfigurationscheduled",)),
    "postponed": ("wait, or empty the date", ("mailbox.{scheduled}", "mailbox.{postponed}")),
    "stale-lock": (
        "let that host run again, or set ismailboxforcedunlockingenabled",
        ("mailbox.hostid", "organization.ismailboxforcedunlockingenabled"),
    ),
    "locked": ("wait until the run that has it ends, or its lease", ("mailbox.processingstatecode", "mailbox.hostid")),
}
"""Obstacle -> what takes it away, and the attributes that it comes from."""
