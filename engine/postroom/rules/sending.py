"""SendEmail: may this email be sent, by whom, and through which mailbox? (server-side-sync reference 7.2, 7.5)"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from postroom.model.attributes import Lookup
from postroom.model.options import EmailStatus, ServerType
from postroom.rules.outgoing_state import Step, follow

__all__ = [
    "RECIPIENT_ENTITIES",
    "SENDER_ENTITIES",
    "Author",
    "Depth",
    "ExchangeStep",
    "Party",
    "SendProblem",
    "SendRequest",
    "SendVerdict",
    "Through",
    "check_send",
    "exchange_steps",
    "may_send_as",
    "reaches",
    "sending_mailbox",
]

SENDER_ENTITIES = frozenset({"systemuser", "queue"})
RECIPIENT_ENTITIES = frozenset(
    {"account", "contact", "entitlement", "equipment", "knowledgearticle", "lead", "queue", "systemuser"}
)
"""Who an outgoing email is from and to (reference 1.8); a recipient may also be an unresolved address."""


class SendProblem(StrEnum):
    """Stable codes; ours. The text of SEND_AS is the published one."""

    NOT_OUTGOING = "NotOutgoing"
    NOT_A_DRAFT = "NotADraft"
    SENDER = "InvalidSender"
    SENDER_ADDRESS = "SenderHasNoAddress"
    NO_RECIPIENTS = "NoRecipients"
    RECIPIENT_KIND = "InvalidRecipient"
    RECIPIENT_ADDRESS = "RecipientHasNoAddress"
    UNRESOLVED = "UnresolvedParties"
    SEND_AS = "SendAsDenied"


@dataclass(frozen=True, slots=True)
class Party:
    """A sender or recipient: the record, or None when unresolved, and the address that would be used (empty: none)."""

    reference: Lookup | None
    address: str = ""


class Depth(StrEnum):
    """How far a privilege reaches: the caller's own records, the business unit, that and those below it, the organization [K]."""

    BASIC = "basic"
    LOCAL = "local"
    DEEP = "deep"
    GLOBAL = "global"


def reaches(depth: Depth | None, own_unit: str | None, units_above: Sequence[str]) -> bool:
    """Whether a privilege of this depth reaches another user. `units_above`: the other's business unit, then its parents; `own_unit`: the
    caller's. None: the privilege is not held. Without business units only the whole organization is reached."""
    if depth is Depth.GLOBAL:
        return True
    if not units_above:
        return False
    if depth is Depth.LOCAL:
        return units_above[0] == own_unit
    return depth is Depth.DEEP and own_unit in units_above


@dataclass(frozen=True, slots=True)
class Author:
    """Who asks to send (for a workflow: its owner), and what bears on sending in another's name.

    privileged      holds "Send Email as Another User" with a depth that reaches the sender
    sender_allows   the From user lets others send on his or her behalf (usersettings.issendasallowed)
    reads_queue     may read the From queue
    """

    user_id: str | None
    system: bool = False
    privileged: bool = False
    sender_allows: bool = False
    reads_queue: bool = True


@dataclass(frozen=True, slots=True)
class SendRequest:
    """`custom`: further entities that may be written to, as the organization has registered their addresses (ours)."""

    outgoing: bool
    status: EmailStatus
    senders: Sequence[Party]
    recipients: Sequence[Party]
    author: Author
    allow_unresolved: bool = False
    custom: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class SendVerdict:
    """None in `problem`: it may be sent."""

    problem: SendProblem | None = None
    detail: str = ""

    @property
    def allowed(self) -> bool:
        return self.problem is None


def check_send(request: SendRequest) -> SendVerdict:
    """The first thing that speaks against sending. A draft may be sent, and a failed email again."""
    if not request.outgoing:
        return SendVerdict(SendProblem.NOT_OUTGOING, "only an outgoing email can be sent")
    if follow(request.status, Step.SEND) is None:
        return SendVerdict(SendProblem.NOT_A_DRAFT, f"the email is {request.status.name.lower().replace('_', ' ')}")
    return _sender(request) or _recipients(request) or SendVerdict()


def _sender(request: SendRequest) -> SendVerdict | None:
    if len(request.senders) != 1:
        return SendVerdict(SendProblem.SENDER, f"an email has one sender, not {len(request.senders)}")
    [sender] = request.senders
    if sender.reference is None or sender.reference.entity not in SENDER_ENTITIES:
        return SendVerdict(SendProblem.SENDER, "the sender must be a user or a queue")
    if not sender.address:
        return SendVerdict(SendProblem.SENDER_ADDRESS, "the sender has no address")
    if not may_send_as(sender.reference, request.author):
        return SendVerdict(SendProblem.SEND_AS, "User does not have send-as privilege")
    return None


def _recipients(request: SendRequest) -> SendVerdict | None:
    if not request.recipients:
        return SendVerdict(SendProblem.NO_RECIPIENTS, "the email has no recipients")
    allowed = RECIPIENT_ENTITIES | set(request.custom)
    wrong = sorted({one.reference.entity for one in request.recipients if one.reference is not None} - allowed)
    if wrong:
        return SendVerdict(SendProblem.RECIPIENT_KIND, f"no email goes to records of {', '.join(wrong)}")
    unresolved = [party.address for party in request.recipients if party.reference is None]
    if unresolved and not request.allow_unresolved:
        return SendVerdict(SendProblem.UNRESOLVED, f"unresolved recipients: {', '.join(unresolved[:5])}")
    without = [party for party in request.recipients if not party.address]
    if len(without) == len(request.recipients):
        return SendVerdict(SendProblem.NO_RECIPIENTS, "no recipient has an address")
    if any(party.reference is None for party in without):
        return SendVerdict(SendProblem.RECIPIENT_ADDRESS, "an unresolved recipient has no address")
    return None


def may_send_as(sender: Lookup, author: Author) -> bool:
    """A user sends as itself; as another user with the privilege and that user's consent; as a queue it may read."""
    if author.system:
        return True
    if sender.entity == "queue":
        return author.reads_queue
    if sender.id == author.user_id:
        return True
    return author.privileged and author.sender_allows


class Through(StrEnum):
    """Whose mailbox sends."""

    SENDER = "sender"
    SUBMITTER = "submitter"


def sending_mailbox(sender: Lookup, submitter: Lookup | None, *, delegation: bool, server_type: ServerType | None) -> Through:
    """The mailbox of From sends, and nothing shows the real author; with EnableMailboxDelegationForOutgoingEmail the submitter's own sends on behalf, where
    that mailbox's profile (`server_type`) is one for Exchange. The server then checks full access, send as or send on behalf, else ErrorSendAsDenied."""
    exchange = server_type is not None and server_type is not ServerType.OTHER
    if delegation and exchange and submitter is not None and submitter != sender:
        return Through.SUBMITTER
    return Through.SENDER


class ExchangeStep(StrEnum):
    """What happens on an Exchange server to an email that is sent."""

    GRANT_DELEGATE = "grant delegate access"
    CREATE_DRAFT = "create draft"
    SEND = "send"
    SEND_AND_SAVE_COPY = "send and save a copy in Sent Items"


def exchange_steps(*, save_copy: bool, auto_grant: bool = False, impersonation: bool = False) -> tuple[ExchangeStep, ...]:
    """The item is created as a draft, sent, and kept in Sent Items with SSSSaveOutgoingEmailToExchangeSentFolder (reference 7.6). Before that the engine may grant
    itself delegate rights, with `outgoingautograntdelegateaccess` and where it does not impersonate, which needs none (reference 7.5)."""
    first = (ExchangeStep.GRANT_DELEGATE,) if auto_grant and not impersonation else ()
    last = ExchangeStep.SEND_AND_SAVE_COPY if save_copy else ExchangeStep.SEND
    return (*first, ExchangeStep.CREATE_DRAFT, last)
