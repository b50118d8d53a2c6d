"""Email server profiles: what they may say, what deleting one means, and how to reach a mailbox's server (server-side-sync reference 1.1,
2.5, 2.6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from postroom.errors import ConfigError, RuleViolated
from postroom.model import CredentialRetrieval, EmailServerProfile, Lookup, Mailbox, RecordState, RecordStatus, ServerType
from postroom.model.deployment import DeploymentSettings
from postroom.model.secret import Secret
from postroom.organization.callers import Caller
from postroom.organization.mailboxes import RESET, forget_source, offer_again, tell_profile
from postroom.organization.policies import settings_in
from postroom.organization.values import Connection, DueMailbox, Operation
from postroom.rules import profile_combination
from postroom.store import Transaction
from postroom.store import secrets as kept

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["before_profile_delete", "completed_profile", "connection", "update_profile"]

_SOURCE = (
    "servertype",
    "defaultserverlocation",
    "incomingserverlocation",
    "incomingcredentialretrieval",
    "incomingusername",
)
"""What decides which maildrop a profile's mailboxes read."""


def _with_ports(values: dict[str, Any], server_type: ServerType, tls: dict[str, bool]) -> None:
    for direction in profile_combination.DIRECTIONS:
        if values.get(f"{direction}portnumber") is None:
            usual = profile_combination.DEFAULT_PORTS.get((server_type, direction, tls[direction]))
            values[f"{direction}portnumber"] = usual or (443 if tls[direction] else 80)


def completed_profile(values: dict[str, Any], deployment: DeploymentSettings) -> dict[str, Any]:
    """A new profile's values with its ports. Raises RuleViolated naming everything that is impossible about it."""
    tls = {direction: values.get(f"{direction}usessl", True) is not False for direction in profile_combination.DIRECTIONS}
    _with_ports(values, ServerType(values["servertype"]), tls)
    if values.get("statecode") is not None:
        values["statuscode"] = RecordStatus(int(values["statecode"]) + 1)
    _refuse(profile_combination.problems(EmailServerProfile(**values), deployment))
    return values


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise RuleViolated("; ".join(problems))


def update_profile(
    organization: Organization, tx: Transaction, _caller: Caller, profile_id: str, values: dict[str, Any]
) -> None:
    """Refused for problems that the change brings; one that the deployment forbids by now can still be deactivated. Another server type
    without ports has its usual ones. Ours: changing a profile's own settings resets no mailbox, so that a new password needs no new tests; but
    another maildrop's names mean other messages, and what was remembered of the old one is forgotten."""
    deployment = organization.deployment.settings
    before = tx.get(EmailServerProfile, profile_id)
    if "statecode" in values:
        values["statuscode"] = RecordStatus(int(values["statecode"]) + 1)
    if values.get("servertype", before.servertype) != before.servertype:
        tls = {
            name: bool(values.get(f"{name}usessl", getattr(before, f"{name}usessl"))) for name in profile_combination.DIRECTIONS
        }
        _with_ports(values, ServerType(values["servertype"]), tls)
    after = dataclasses.replace(before, **values)
    old = profile_combination.problems(before, deployment)
    _refuse([one for one in profile_combination.problems(after, deployment) if one not in old])
    tx.update(EmailServerProfile, profile_id, **values)
    watermark = after.processemailsreceivedafter != before.processemailsreceivedafter
    moved = any(getattr(after, name) != getattr(before, name) for name in _SOURCE)
    switched = after.statecode != before.statecode
    if not (watermark or moved or switched):
        return
    boxes = tx.find(Mailbox, emailserverprofile=before.reference)
    ids = [box.mailboxid for box in boxes]
    if moved:
        forget_source(tx, ids)
    if watermark:
        offer_again(tx, ids, before.processemailsreceivedafter, after.processemailsreceivedafter)
    if switched:
        for box in boxes:
            tell_profile(tx, settings_in(tx), box, missing=after.statecode is not RecordState.ACTIVE)


def before_profile_delete(tx: Transaction, profile_id: str) -> None:
    """Refused while it is the organization's default; otherwise its mailboxes have none any more (suggested by the reference)."""
    default = settings_in(tx).defaultemailserverprofileid
    if default is not None and default.id == profile_id:
        raise RuleViolated("the organization's default profile cannot be deleted")
    settings = settings_in(tx)
    for mailbox in tx.find(Mailbox, emailserverprofile=Lookup("emailserverprofile", profile_id)):
        tell_profile(tx, settings, mailbox, missing=True)
        tx.update(Mailbox, mailbox.mailboxid, emailserverprofile=None, **RESET)


# -- how to reach the server ------------------------------------------------------------------------------------------


def connection(organization: Organization, mailbox_id: str | DueMailbox, operation: Operation) -> Connection:
    """Host, port and credentials of one direction; a test asks for each direction by its own name. Raises ConfigError."""
    with organization.store.reading() as tx:
        if isinstance(mailbox_id, DueMailbox):
            mailbox, profile = mailbox_id.mailbox, mailbox_id.profile
        else:
            mailbox = tx.get(Mailbox, mailbox_id)
            if mailbox.emailserverprofile is None:
                raise ConfigError("the mailbox has no profile", code="InvalidIncomingEmailServerProfile")
            profile = tx.get(EmailServerProfile, mailbox.emailserverprofile)
        direction = "outgoing" if operation is Operation.OUTGOING else "incoming"
        if problems := profile_combination.forbidden(profile, direction, organization.deployment.settings):
            raise ConfigError("; ".join(problems))
        return _connection(tx, mailbox, profile, direction)


def _connection(tx: Transaction, mailbox: Mailbox, profile: EmailServerProfile, direction: str) -> Connection:
    host = getattr(profile, f"{direction}serverlocation") or profile.defaultserverlocation
    port = getattr(profile, f"{direction}portnumber")
    if not host or not port:
        raise ConfigError(f"the profile {profile.name!r} names no {direction} server")
    source = "incoming" if profile.usesamesettingsforoutgoingconnections else direction
    retrieval = getattr(profile, f"{source}credentialretrieval") or CredentialRetrieval.USER_OR_QUEUE
    username, password = _credentials(tx, mailbox, profile, retrieval, source)
    milliseconds = profile.timeoutmailboxconnectionafteramount if profile.timeoutmailboxconnection else None
    return Connection(
        host=host,
        port=port,
        tls=bool(getattr(profile, f"{direction}usessl")),
        authentication=int(getattr(profile, f"{source}authenticationprotocol") or 0),
        credentials=int(retrieval),
        username=username,
        password=password,
        timeout=min(100.0, milliseconds / 1000) if milliseconds else 100.0,
        limit=profile.maxconcurrentconnections,
    )


_UNKNOWN_HERE = {
    CredentialRetrieval.SERVER_TO_SERVER: "server to server authentication",
    CredentialRetrieval.WINDOWS_INTEGRATED: "integrated Windows authentication (as the service's own account)",
}


def _credentials(
    tx: Transaction, mailbox: Mailbox, profile: EmailServerProfile, retrieval: CredentialRetrieval, source: str
) -> tuple[str, Secret]:
    """(user, password), empty where none are used. Raises ConfigError."""
    if retrieval is CredentialRetrieval.USER_OR_QUEUE:
        if not mailbox.allowemailconnectortousecredentials:
            raise ConfigError("the mailbox does not allow its credentials to be used")
        username, password = mailbox.username, kept.read(tx, mailbox.mailboxid, "password")
    elif retrieval is CredentialRetrieval.EMAIL_SERVER_PROFILE:
        username = getattr(profile, f"{source}username")
        password = kept.read(tx, profile.emailserverprofileid, f"{source}password")
    elif retrieval is CredentialRetrieval.ANONYMOUS:
        return "", Secret("")
    else:
        raise ConfigError(f"{_UNKNOWN_HERE[retrieval]} is not possible from here: there are no such credentials")
    if not username or password is None:
        raise ConfigError("user name or password is not set")
    return username, password
