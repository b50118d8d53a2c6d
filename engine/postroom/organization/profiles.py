"""Email server profiles: what they may say, what deleting one means, and how to reach a mailbox's server (server-side-sync reference 1.1,
2.5, 2.6)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from postroom.errors import ConfigError, RuleViolated
from postroom.model import CredentialRetrieval, EmailServerProfile, Lookup, Mailbox, RecordStatus, ServerType
from postroom.model.secret import Secret
from postroom.organization.callers import Caller
from postroom.organization.mailboxes import RESET, offer_again
from postroom.organization.policies import settings_in
from postroom.organization.values import Connection, DueMailbox, Operation
from postroom.store import Transaction
from postroom.store import secrets as kept

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["before_profile_delete", "completed_profile", "connection", "update_profile"]

_PORTS = {("incoming", True): 995, ("incoming", False): 110, ("outgoing", True): 587, ("outgoing", False): 25}
"""Ports "auto-populate on save" (reference 1.1); the numbers are the usual ones of POP3 and SMTP, an Exchange profile has 443."""


def completed_profile(values: dict[str, Any]) -> dict[str, Any]:
    """A new profile's values with its ports; refuses combinations. Raises RuleViolated."""
    server_type = ServerType(values["servertype"])
    for direction in ("incoming", "outgoing"):
        if values.get(f"{direction}portnumber") is None:
            tls = values.get(f"{direction}usessl", True)
            values[f"{direction}portnumber"] = (
                _PORTS[direction, bool(tls)] if server_type is ServerType.OTHER else (443 if tls else 80)
            )
    if values.get("statecode") is not None:
        values["statuscode"] = RecordStatus(int(values["statecode"]) + 1)
    _check_profile(EmailServerProfile(**values))
    return values


def _check_profile(profile: EmailServerProfile) -> None:
    pop3 = profile.servertype is ServerType.OTHER
    if pop3 and profile.incomingcredentialretrieval is CredentialRetrieval.WINDOWS_INTEGRATED:
        raise RuleViolated("integrated Windows authentication is for Exchange and SMTP only")
    if profile.incomingcredentialretrieval is CredentialRetrieval.ANONYMOUS:
        raise RuleViolated("incoming email is not read without credentials")
    if not pop3 and profile.outgoingcredentialretrieval is CredentialRetrieval.ANONYMOUS:
        raise RuleViolated("an Exchange profile needs credentials")
    server_to_server = CredentialRetrieval.SERVER_TO_SERVER in (
        profile.incomingcredentialretrieval,
        profile.outgoingcredentialretrieval,
    )
    if pop3 and server_to_server:
        raise RuleViolated("server to server authentication is for Exchange Online only")


def update_profile(tx: Transaction, _caller: Caller, profile_id: str, values: dict[str, Any], _secrets: bool) -> None:
    """Ours: changing a profile's own settings resets no mailbox, so that a new password needs no new tests."""
    before = tx.get(EmailServerProfile, profile_id)
    if "statecode" in values:
        values["statuscode"] = RecordStatus(int(values["statecode"]) + 1)
    after = dataclasses.replace(before, **values)
    _check_profile(after)
    tx.update(EmailServerProfile, profile_id, **values)
    if after.processemailsreceivedafter != before.processemailsreceivedafter:
        mailboxes = [box.mailboxid for box in tx.find(Mailbox, emailserverprofile=before.reference)]
        offer_again(tx, mailboxes, before.processemailsreceivedafter, after.processemailsreceivedafter)


def before_profile_delete(tx: Transaction, profile_id: str) -> None:
    """Refused while it is the organization's default; otherwise its mailboxes have none any more (suggested by the reference)."""
    default = settings_in(tx).defaultemailserverprofileid
    if default is not None and default.id == profile_id:
        raise RuleViolated("the organization's default profile cannot be deleted")
    for mailbox in tx.find(Mailbox, emailserverprofile=Lookup("emailserverprofile", profile_id)):
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
        return _connection(tx, mailbox, profile, "outgoing" if operation is Operation.OUTGOING else "incoming")


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
    else:
        return "", Secret("")
    if not username or password is None:
        raise ConfigError("user name or password is not set")
    return username, password
