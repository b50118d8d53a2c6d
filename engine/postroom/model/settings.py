"""Settings that are no columns of their own: the switches of `orgdborgsettings`, the methods of `defaultemailsettings`, and the
deployment settings (server-side-sync reference 1.5, 1.6).

Names are the published ones in lower case, as everywhere in the model. Each field's metadata has `published` (the name as published),
`source` ("published", or "ours" where the reference states no default) and, where it needs words, `note`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from postroom.errors import InvalidValue
from postroom.model.options import ActDeliveryMethod, IncomingDeliveryMethod, OutgoingDeliveryMethod

__all__ = [
    "XML_LIMIT",
    "DefaultEmailSettings",
    "DeliveryMethods",
    "OrgDbOrgSettings",
    "ServerSideSyncACTSettings",
    "ServerSideSyncEmailSettings",
    "describe",
]

XML_LIMIT = 65_536
"""Characters of a settings column that are read; ours."""


def _switch(published: str, default: bool, *, stated: bool = True, note: str = "") -> Any:
    metadata = {"published": published, "source": "published" if stated else "ours", "note": note}
    return field(default=default, metadata=metadata)


def _number(published: str, default: int, low: int, high: int, *, stated: bool = False, note: str = "") -> Any:
    metadata = {
        "published": published,
        "source": "published" if stated else "ours",
        "note": note,
        "low": low,
        "high": high,
    }
    return field(default=default, metadata=metadata)


def _within(value: int, metadata: Mapping[str, Any]) -> bool:
    return bool(metadata["low"] <= value <= metadata["high"])


class _Numbers:
    """Checks types and ranges of the fields at construction. Raises InvalidValue, all problems at once."""

    __slots__ = ()

    def __post_init__(self) -> None:
        problems = []
        for one in dataclasses.fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, one.name)
            if "low" not in one.metadata:
                if value is not True and value is not False:
                    problems.append(f"{one.name}: True or False expected, not {repr(value)[:40]}")
            elif isinstance(value, bool) or not isinstance(value, int) or not _within(value, one.metadata):
                low, high = one.metadata["low"], one.metadata["high"]
                problems.append(f"{one.name}: a whole number {low}..{high} expected, not {repr(value)[:40]}")
        if problems:
            raise InvalidValue("; ".join(problems))


@dataclass(frozen=True, slots=True)
class OrgDbOrgSettings(_Numbers):
    """The switch bag of the organization row (1.5).."""

    autocreatecontactonpromote: bool = _switch("AutoCreateContactOnPromote", True)
    autotracksentfolderitems: bool = _switch("AutoTrackSentFolderItems", False)
    trackcategorizeditems: bool = _switch("TrackCategorizedItems", True)
    donotautotrackemail: bool = _switch("DoNotAutoTrackEmail", True)
    usefilteringmethodofsyncingmailboxonlyforcorrelation: bool = _switch(
        "UseFilteringMethodOfSyncingMailboxOnlyForCorrelation", False
    )
    sssforcefilteringmethodforusermailboxes: bool = _switch(
        "SSSForceFilteringMethodForUserMailboxes", False, note="the name of the one before on another page"
    )
    ignoreconversationindexandinreplytoforcorrelation: bool = _switch(
        "IgnoreConversationIndexAndInReplyToForCorrelation", False
    )
    ignoreinternalemaildetectionenhancement: bool = _switch("IgnoreInternalEmailDetectionEnhancement", True)
    donotignoreinternalemailtoqueues: bool = _switch("DoNotIgnoreInternalEmailToQueues", True)
    ignoreinternalemailfromqueues: bool = _switch("IgnoreInternalEmailFromQueues", False, stated=False)
    maximumsubjectlengthonmailserver: int = _number("MaximumSubjectLengthOnMailServer", 255, 1, 998, stated=True)
    resolveforinactiveentities: bool = _switch("ResolveForInactiveEntities", False)
    unresolvesenderincaseofmultiplematch: bool = _switch("UnresolveSenderInCaseOfMultipleMatch", False, stated=False)
    createqueueitemforsynchronizingmailbox: bool = _switch(
        "CreateQueueItemForSynchronizingMailbox", False, note="another page says true; reference 11 reads false"
    )
    createqueueitemsforacceptingqueuerecipients: bool = _switch("CreateQueueItemsForAcceptingQueueRecipients", True)
    ssscreateadditionalqueueitemsforalreadytrackedemail: bool = _switch(
        "SSSCreateAdditionalQueueItemsForAlreadyTrackedEmail", False
    )
    ssssaveoutgoingemailtoexchangesentfolder: bool = _switch("SSSSaveOutgoingEmailToExchangeSentFolder", True)
    enablemailboxdelegationforoutgoingemail: bool = _switch(
        "EnableMailboxDelegationForOutgoingEmail", False, stated=False, note="not stated, read as off"
    )
    ssspropagateappointmentcancellationstoexchange: bool = _switch("SSSPropagateAppointmentCancellationsToExchange", False)
    sssupdatepastmeetingsinnondraftmode: bool = _switch("SSSUpdatePastMeetingsInNonDraftMode", False)
    distinctphysicalandlogicaldeletesforexchangesync: bool = _switch("DistinctPhysicalAndLogicalDeletesForExchangeSync", False)
    ignorecopieditemsinsssformailbox: bool = _switch("IgnoreCopiedItemsInSSSForMailbox", True)
    trackappointmentsfromnonorganizer: bool = _switch("TrackAppointmentsFromNonOrganizer", True)
    usecrmorganizerforemptyexchangeorganizer: bool = _switch("UseCrmOrganizerForEmptyExchangeOrganizer", False)
    allowsaveasdraftappointment: bool = _switch("AllowSaveAsDraftAppointment", False)
    restrictirmemailitems: bool = _switch("RestrictIRMEmailItems", False)
    enablesssitemlevelmonitoring: bool = _switch("EnableSssItemLevelMonitoring", True)
    exchangesyncidmappingpersistencetimeindays: int = _number(
        "ExchangeSyncIdMappingPersistenceTimeInDays", 3, 0, 3650, stated=True, note="advised maximum 7"
    )
    usexanchormailboxinexchangerequestheader: bool = _switch("UseXAnchorMailboxInExchangeRequestHeader", True)

    @classmethod
    def from_xml(cls, text: str | None) -> OrgDbOrgSettings:
        """`<OrgSettings><Name>value</Name>...</OrgSettings>` [K]; names in any case, switches that are not ours are skipped. None or
        blank: the defaults. Raises InvalidValue."""
        if text is None or not text.strip():
            return cls()
        known = {one.name: one for one in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for child in _parse(text, "orgdborgsettings"):
            name = child.tag.lower()
            if name in known:
                given = (child.text or "").strip()
                values[name] = _whole(name, given) if "low" in known[name].metadata else _truth(name, given)
        return cls(**values)

    def to_xml(self, before: str | None = None) -> str:
        """What differs from the defaults, as XML under the published names; switches in `before` that are not ours are kept."""
        from lxml import etree

        known = {one.name for one in dataclasses.fields(self)}
        root = etree.Element("OrgSettings")
        for child in _parse(before, "orgdborgsettings") if before and before.strip() else ():
            if child.tag.lower() not in known:
                etree.SubElement(root, child.tag).text = child.text
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                etree.SubElement(root, one.metadata["published"]).text = str(value).lower()
        text: str = etree.tostring(root, encoding="unicode")
        return text


@dataclass(frozen=True, slots=True)
class DeliveryMethods:
    """The three methods of a new mailbox; the defaults are those of a record that says nothing."""

    incoming: IncomingDeliveryMethod = IncomingDeliveryMethod.NONE
    outgoing: OutgoingDeliveryMethod = OutgoingDeliveryMethod.NONE
    act: ActDeliveryMethod = ActDeliveryMethod.OUTLOOK


@dataclass(frozen=True, slots=True)
class DefaultEmailSettings:
    """`organization.defaultemailsettings`: what a new user or queue gets. Published is only that it is XML; the form is ours:

    <EmailSettings><systemuser incoming="2" outgoing="2" act="1"/><queue incoming="2" outgoing="2"/></EmailSettings>
    """

    systemuser: DeliveryMethods | None = None
    queue: DeliveryMethods | None = None

    @classmethod
    def from_xml(cls, text: str | None) -> DefaultEmailSettings:
        """Raises InvalidValue."""
        if text is None or not text.strip():
            return cls()
        found: dict[str, DeliveryMethods] = {}
        for child in _parse(text, "defaultemailsettings"):
            if child.tag not in ("systemuser", "queue"):
                raise InvalidValue(f"defaultemailsettings: <systemuser> or <queue> expected, not <{child.tag[:40]}>")
            try:
                found[child.tag] = DeliveryMethods(
                    IncomingDeliveryMethod(_whole("incoming", child.get("incoming", "0"))),
                    OutgoingDeliveryMethod(_whole("outgoing", child.get("outgoing", "0"))),
                    ActDeliveryMethod(_whole("act", child.get("act", "0"))),
                )
            except ValueError as wrong:
                raise InvalidValue(f"defaultemailsettings: {wrong}") from None
        return cls(**found)

    def to_xml(self) -> str:
        from lxml import etree

        root = etree.Element("EmailSettings")
        for name in ("systemuser", "queue"):
            methods: DeliveryMethods | None = getattr(self, name)
            if methods is not None:
                attributes = {one.name: str(int(getattr(methods, one.name))) for one in dataclasses.fields(methods)}
                etree.SubElement(root, name, attributes)
        text: str = etree.tostring(root, encoding="unicode")
        return text


_MONTH = 86_400 * 30
_MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerSideSyncEmailSettings(_Numbers):
    """Deployment-level, on-premises (1.6). Back-offs in seconds. No numeric default is published: the numbers are the reference's
    suggestions; `emailroutermigrationmaxparallelruns` has none there and is ours."""

    activemailboxminimumbackoff: int = _number("ActiveMailboxMinimumBackoff", 120, 1, _MONTH)
    activemailboxmaximumbackoff: int = _number("ActiveMailboxMaximumBackoff", 300, 1, _MONTH)
    idlemailboxminimumbackoff: int = _number("IdleMailboxMinimumBackoff", 300, 1, _MONTH)
    idlemailboxmaximumbackoff: int = _number("IdleMailboxMaximumBackoff", 720, 1, _MONTH)
    mailboxbackoffontransienterror: int = _number("MailboxBackoffOnTransientError", 300, 0, _MONTH)
    mailboxbackoffontimeout: int = _number("MailboxBackoffOnTimeout", 300, 0, _MONTH)
    maxmailboxtransientfailures: int = _number("MaxMailboxTransientFailures", 10, 1, 999)
    maximumemaildeliveryattempts: int = _number("MaximumEmailDeliveryAttempts", 10, 1, _MANY)
    incomingmaximumemailspercycle: int = _number("IncomingMaximumEmailsPerCycle", 100, 1, _MANY)
    incomingemailexchangeemailretrievalbatchsize: int = _number("IncomingEmailExchangeEmailRetrievalBatchSize", 10, 1, _MANY)
    allowadbasedauthenticationprotocols: bool = _switch("AllowADBasedAuthenticationProtocols", True)
    allowbasicauthenticationonnonsecurechannel: bool = _switch(
        "AllowBasicAuthenticationOnNonSecureChannel", False, stated=False
    )
    allownonsslemail: bool = _switch("AllowNonSSLEmail", False, stated=False)
    allowcredentialsentryvianonsecurechannels: bool = _switch("AllowCredentialsEntryViaNonSecureChannels", False, stated=False)
    emailroutermigrationmaxparallelruns: int = _number("EmailRouterMigrationMaxParallelRuns", 1, 1, _MANY)


@dataclass(frozen=True, slots=True)
class ServerSideSyncACTSettings(_Numbers):
    """Deployment-level, for appointments, contacts and tasks (1.6). Numbers as suggested there."""

    activemailboxminimumbackoffforact: int = _number("ActiveMailboxMinimumBackoffForACT", 120, 1, _MONTH)
    activemailboxmaximumbackoffforact: int = _number("ActiveMailboxMaximumBackoffForACT", 300, 1, _MONTH)
    idlemailboxminimumbackoffforact: int = _number("IdleMailboxMinimumBackoffForACT", 300, 1, _MONTH)
    idlemailboxmaximumbackoffforact: int = _number("IdleMailboxMaximumBackoffForACT", 720, 1, _MONTH)
    mailboxbackoffontransienterrorforact: int = _number("MailboxBackoffOnTransientErrorForACT", 300, 0, _MONTH)
    mailboxbackoffontimeoutforact: int = _number("MailboxBackoffOnTimeoutForACT", 300, 0, _MONTH)
    maximummailboxtransientfailuresforact: int = _number("MaximumMailboxTransientFailuresForACT", 10, 1, 999)
    maximumsynchronizationattemptsforact: int = _number("MaximumSynchronizationAttemptsForACT", 5, 1, _MANY)


def _truth(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no", ""):
        return False
    raise InvalidValue(f"{name}: true or false expected, not {text[:40]!r}")


def _whole(name: str, text: str) -> int:
    if re.fullmatch(r"-?[0-9]{1,10}", text):
        return int(text)
    raise InvalidValue(f"{name}: a whole number expected, not {text[:40]!r}")


def _parse(text: str, where: str) -> Any:
    """The children of the root, safely: no DTD, no entities, bounded length and depth (dependencies reference 3.2)."""
    from lxml import etree

    if len(text) > XML_LIMIT:
        raise InvalidValue(f"{where}: {len(text)} characters of XML, at most {XML_LIMIT} are read")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root: Any = etree.fromstring(text.strip().encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as wrong:
        raise InvalidValue(f"{where}: not well-formed XML: {str(wrong)[:200]}") from None
    if root.getroottree().docinfo.doctype:
        raise InvalidValue(f"{where}: a document type declaration is not allowed")
    return [child for child in root if isinstance(child.tag, str)]


def describe(cls: type[Any]) -> list[Mapping[str, Any]]:
    """Every setting of a settings class with default, source and note, for documentation pages and commands."""
    return [{"name": one.name, "default": one.default, **one.metadata} for one in dataclasses.fields(cls)]
