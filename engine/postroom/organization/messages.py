"""The published messages of the entities of email, each done or refused by name (server-side-sync reference 1.1, 1.9, 4.1, 7.2; entity reference).

`Organization.execute` asks this table. A message that is not done raises UnsupportedMessage with the reason, and so does a name that is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom.errors import InvalidValue, UnsupportedMessage
from postroom.model.attributes import nearest
from postroom.organization.callers import Caller

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["MESSAGES", "Message", "execute"]


@dataclass(frozen=True, slots=True)
class Message:
    """`entities`: those whose published list has it. `method`: of `Organization`, "" when it is not done, and then `why`."""

    entities: tuple[str, ...]
    method: str = ""
    why: str = ""


_EVERYWHERE = ("email", "mailbox", "emailserverprofile", "tracelog")
_OWNED = ("email", "mailbox", "emailserverprofile")
_NO_SHARING = (
    "records are not shared: every caller of an organization may read and write them, so there is no access to grant or to take"
)

MESSAGES: Mapping[str, Message] = MappingProxyType(
    {
        "Assign": Message(_OWNED, "assign"),
        "Associate": Message(
            ("email",), why="relationships are lookups here: update the attribute that points to the other record"
        ),
        "BackgroundSendEmail": Message(("email",), "background_send_email"),
        "CheckIncomingEmail": Message(("email",), "check_incoming_email"),
        "CheckPromoteEmail": Message(("email",), "check_promote_email"),
        "Create": Message(_EVERYWHERE, "create"),
        "Delete": Message(_EVERYWHERE, "delete"),
        "DeliverIncomingEmail": Message(("email",), "deliver_incoming_email"),
        "DeliverPromoteEmail": Message(("email",), "deliver_promote_email"),
        "Disassociate": Message(
            ("email",), why="relationships are lookups here: clear the attribute that points to the other record"
        ),
        "GetTrackingTokenEmail": Message(("email",), "get_tracking_token_email"),
        "GrantAccess": Message(_OWNED, why=_NO_SHARING),
        "ModifyAccess": Message(_OWNED, why=_NO_SHARING),
        "ProcessInboundEmail": Message(("email",), why="responses to marketing campaigns are no part of email synchronization"),
        "PropagateByExpression": Message(
            ("email",), why="it distributes campaign activities; SendBulkMail writes to many recipients"
        ),
        "Retrieve": Message(_EVERYWHERE, "retrieve"),
        "RetrieveMultiple": Message(_EVERYWHERE, "retrieve_multiple"),
        "RetrievePrincipalAccess": Message(_OWNED, why=_NO_SHARING),
        "RetrieveSharedPrincipalsAndAccess": Message(_OWNED, why=_NO_SHARING),
        "RevokeAccess": Message(_OWNED, why=_NO_SHARING),
        "SendBulkMail": Message(("email",), "send_bulk_mail"),
        "SendEmail": Message(("email",), "send_email"),
        "SendEmailFromTemplate": Message(("email",), "send_email_from_template"),
        "SendFax": Message(("email",), why="there is no fax"),
        "SendTemplate": Message(("email",), "send_template"),
        "SetState": Message(_OWNED, "set_state"),
        "Update": Message(_OWNED, "update"),
    }
)
"""The union of the published lists of Email (on-premises 9.x, and the earlier editions'), Mailbox, EmailServerProfile and TraceLog, with the two senders from
templates that belong to no entity."""


def execute(organization: Organization, caller: Caller, name: str, parameters: Mapping[str, Any]) -> Any:
    """Do a message by its published name; `parameters` are those of the method. Raises UnsupportedMessage, InvalidValue for wrong parameters."""
    message = MESSAGES.get(name)
    if message is None:
        raise UnsupportedMessage(f"there is no message {name[:100]!r}{nearest(name, MESSAGES)}", name[:100])
    if not message.method:
        raise UnsupportedMessage(f"{name} is not supported: {message.why}", name)
    method = getattr(organization, message.method)
    try:
        _check(method, caller, parameters)
    except TypeError as problem:
        raise InvalidValue(f"{name}: {problem}") from None
    return method(caller, **parameters)


def _check(method: Any, caller: Caller, parameters: Mapping[str, Any]) -> None:
    """Raises TypeError, before anything is done, for parameters that the method does not take."""
    import inspect

    inspect.signature(method).bind(caller, **parameters)
