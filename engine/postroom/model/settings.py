"""Settings that are no columns of their own: the switches of `orgdborgsettings` and the methods of `defaultemailsettings`
(server-side-sync reference 1.5). Those of a whole deployment are in `deployment`.

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
    "describe",
    "number",
    "problems_of",
    "switch",
]

XML_LIMIT = 65_536
"""Characters of a settings column that are read; ours."""


def switch(published: str, default: bool, *, stated: bool = True, note: str = "") -> Any:
    metadata = {"published": published, "source": "published" if stated else "ours", "note": note}
    return field(default=default, metadata=metadata)


def number(published: str, default: int, low: int, high: int, *, stated: bool = False, note: str = "") -> Any:
    metadata = {
        "published": published,
        "source": "published" if stated else "ours",
        "note": note,
        "low": low,
        "high": high,
    }
    return field(default=default, metadata=metadata)


def problems_of(settings: Any) -> list[str]:
    """What is wrong with types and ranges of the fields that `switch` and `number` made; all of it."""
    problems = []
    for one in dataclasses.fields(settings):
        value = getattr(settings, one.name)
        if "published" not in one.metadata:
            continue
        if "low" not in one.metadata:
            if value is not True and value is not False:
                problems.append(f"{one.name}: True or False expected, not {repr(value)[:40]}")
            continue
        low, high = one.metadata["low"], one.metadata["high"]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            problems.append(f"{one.name}: a whole number {low}..{high} expected, not {repr(value)[:40]}")
    return problems


@dataclass(frozen=True, slots=True)
class OrgDbOrgSettings:
    """The switch bag of the organization row (1.5). Raises InvalidValue."""

    autocreatecontactonpromote: bool = switch("AutoCreateContactOnPromote", True)
    autotracksentfolderitems: bool = switch("AutoTrackSentFolderItems", False)
    trackcategorizeditems: bool = switch("TrackCategorizedItems", True)
    donotautotrackemail: bool = switch("DoNotAutoTrackEmail", True)
    usefilteringmethodofsyncingmailboxonlyforcorrelation: bool = switch(
        "UseFilteringMethodOfSyncingMailboxOnlyForCorrelation", False
    )
    sssforcefilteringmethodforusermailboxes: bool = switch(
        "SSSForceFilteringMethodForUserMailboxes", False, note="the name of the one before on another page"
    )
    ignoreconversationindexandinreplytoforcorrelation: bool = switch("IgnoreConversationIndexAndInReplyToForCorrelation", False)
    postroomusexheaderforcorrelation: bool = switch(
        "PostroomUseXHeaderForCorrelation",
        True,
        stated=False,
        note="ours: reference 4.7 suggests the method, no switch is published",
    )
    postroomusereferencesforcorrelation: bool = switch(
        "PostroomUseReferencesForCorrelation", False, stated=False, note="ours: the last id of References, reference 4.7"
    )
    ignoreinternalemaildetectionenhancement: bool = switch("IgnoreInternalEmailDetectionEnhancement", True)
    donotignoreinternalemailtoqueues: bool = switch("DoNotIgnoreInternalEmailToQueues", True)
    ignoreinternalemailfromqueues: bool = switch("IgnoreInternalEmailFromQueues", False, stated=False)
    maximumsubjectlengthonmailserver: int = number("MaximumSubjectLengthOnMailServer", 255, 1, 998, stated=True)
    resolveforinactiveentities: bool = switch("ResolveForInactiveEntities", False)
    unresolvesenderincaseofmultiplematch: bool = switch("UnresolveSenderInCaseOfMultipleMatch", False, stated=False)
    createqueueitemforsynchronizingmailbox: bool = switch(
        "CreateQueueItemForSynchronizingMailbox", False, note="another page says true; reference 11 reads false"
    )
    createqueueitemsforacceptingqueuerecipients: bool = switch("CreateQueueItemsForAcceptingQueueRecipients", True)
    ssscreateadditionalqueueitemsforalreadytrackedemail: bool = switch(
        "SSSCreateAdditionalQueueItemsForAlreadyTrackedEmail", False
    )
    ssssaveoutgoingemailtoexchangesentfolder: bool = switch("SSSSaveOutgoingEmailToExchangeSentFolder", True)
    enablemailboxdelegationforoutgoingemail: bool = switch(
        "EnableMailboxDelegationForOutgoingEmail", False, stated=False, note="not stated, read as off"
    )
    ssspropagateappointmentcancellationstoexchange: bool = switch("SSSPropagateAppointmentCancellationsToExchange", False)
    sssupdatepastmeetingsinnondraftmode: bool = switch("SSSUpdatePastMeetingsInNonDraftMode", False)
    distinctphysicalandlogicaldeletesforexchangesync: bool = switch("DistinctPhysicalAndLogicalDeletesForExchangeSync", False)
    ignorecopieditemsinsssformailbox: bool = switch("IgnoreCopiedItemsInSSSForMailbox", True)
    trackappointmentsfromnonorganizer: bool = switch("TrackAppointmentsFromNonOrganizer", True)
    usecrmorganizerforemptyexchangeorganizer: bool = switch("UseCrmOrganizerForEmptyExchangeOrganizer", False)
    allowsaveasdraftappointment: bool = switch("AllowSaveAsDraftAppointment", False)
    restrictirmemailitems: bool = switch("RestrictIRMEmailItems", False)
    enablesssitemlevelmonitoring: bool = switch("EnableSssItemLevelMonitoring", True)
    exchangesyncidmappingpersistencetimeindays: int = number(
        "ExchangeSyncIdMappingPersistenceTimeInDays", 3, 0, 3650, stated=True, note="advised maximum 7"
    )
    usexanchormailboxinexchangerequestheader: bool = switch("UseXAnchorMailboxInExchangeRequestHeader", True)

    def __post_init__(self) -> None:
        if problems := problems_of(self):
            raise InvalidValue("; ".join(problems))

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

    def of(self, entity: str) -> DeliveryMethods | None:
        """What is said about "systemuser" or "queue"; None: nothing."""
        found: DeliveryMethods | None = getattr(self, entity)
        return found

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
    known = (one for one in dataclasses.fields(cls) if "published" in one.metadata)
    return [{"name": one.name, "default": one.default, **one.metadata} for one in known]
